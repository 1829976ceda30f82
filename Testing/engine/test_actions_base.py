"""The action base: complete, consistent, every entry with a source, names resolved and never guessed."""

import copy
from pathlib import Path

import pytest

from mewm.actions.base import build_action_base, load_action_base, read_data_file
from mewm.actions.formulary import Formulary
from mewm.actions.plausible import plausibility, require_plausible
from mewm.actions.protocol import Action, Protocol
from mewm.errors import InputError, ResourceError
from mewm.policy import guideline

PAPER = [
    "raltitrexed",
    "epirubicin",
    "oxaliplatin",
    "lobaplatin",
    "mitomycin",
    "idarubicin",
    "nedaplatin",
    "pirarubicin",
    "cisplatin",
    "hydroxycamptothecin",
    "doxorubicin",
    "doxorubicin_eluting_beads",
    "lipiodol",
    "gelatin_sponge",
    "pva",
    "absolute_alcohol",
    "nbca",
    "kmg_microspheres",
    "embosphere",
]


def test_has_every_agent_of_the_paper_and_its_public_code():
    assert sorted(load_action_base().agents) == sorted(PAPER)


@pytest.mark.parametrize("agent", PAPER)
def test_every_entry_is_sourced_and_its_usual_action_plausible(agent):
    base = load_action_base()
    entry = base.agents[agent]
    assert entry.references
    assert all("doi" in r or "http" in r or "PMID" in r for r in entry.references)
    assert all(c.source and c.message.endswith(".") for c in entry.cautions)
    usual = base.usual(agent)
    assert usual.kind == entry.kind
    assert (usual.dose is None) == (usual.unit is None)
    assert not [f for f in plausibility(usual) if f.severity == "excluded"]


@pytest.mark.parametrize(
    ("name", "agent"),
    [
        ("THP", "pirarubicin"),
        ("ultra-liquid Lipiodol", "lipiodol"),
        ("Ethiodized oil", "lipiodol"),
        ("iodized  oil", "lipiodol"),
        ("gelfoam", "gelatin_sponge"),
        ("gelatin sponge particles", "gelatin_sponge"),
        ("anhydrous alcohol", "absolute_alcohol"),
        ("ethanol", "absolute_alcohol"),
        ("glue", "nbca"),
        ("n-butyl-2-cyanoacrylate", "nbca"),
        ("tris-acryl gelatin microspheres", "embosphere"),
        ("Epi-ADM", "epirubicin"),
        ("CDDP", "cisplatin"),
        ("L-OHP", "oxaliplatin"),
        ("HCPT", "hydroxycamptothecin"),
        ("Adriamycin", "doxorubicin"),
        ("adm", "doxorubicin"),
        ("MMC", "mitomycin"),
        ("DC Bead", "doxorubicin_eluting_beads"),
        ("LC Beads", "doxorubicin_eluting_beads"),
        ("doxorubicin_eluting_beads", "doxorubicin_eluting_beads"),
    ],
)
def test_resolves_other_names(name, agent):
    found = load_action_base().resolve(name)
    assert found is not None
    assert found.id == agent


def test_contested_trade_names_are_listed_and_resolve_to_nothing():
    base = load_action_base()
    assert "Adasone" in base.unresolved
    assert all(base.resolve(name) is None for name in base.unresolved)


def test_frequency_is_a_share_and_lipiodol_leads():
    base = load_action_base()
    shares = {a: base.frequency(a) for a in base.agents}
    assert all(0 <= s <= 1 for s in shares.values())
    assert max(shares, key=shares.__getitem__) == "lipiodol"


def test_protocols_find_classes_and_occlusion():
    agents = load_action_base().agents
    platinum = {a.id for a in agents.values() if a.drug_class == "platinum"}
    assert platinum == {"cisplatin", "oxaliplatin", "lobaplatin", "nedaplatin"}
    assert agents["gelatin_sponge"].occlusion == "temporary"
    assert agents["pva"].occlusion == agents["nbca"].occlusion == "permanent"


def _damaged(change):
    data = copy.deepcopy(read_data_file("agents.json"))
    change(data)
    return data


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["agents"][0].update(references=["nobody2099"]), "nobody2099"),
        (lambda d: d["agents"][0].update(references=[]), "reference"),
        (lambda d: d["agents"][0].update(usual_dose=4000), "contradicts itself"),
        (lambda d: d["agents"][0].update(kind="poison"), "contradicts itself"),
        (lambda d: d["agents"][0].update(aliases=["THP"]), "two agents"),
        (lambda d: d["agents"][0].update(aliases=["Adasone"]), "unresolved"),
        (lambda d: d["agents"].append(d["agents"][0]), "twice"),
        (lambda d: d["agents"][0].pop("name"), "damaged"),
        (lambda d: d["agents"][0].update(counts={"elsewhere": 3}), "elsewhere"),
    ],
)
def test_refuses_a_damaged_data_file(change, says):
    with pytest.raises(ResourceError, match=says):
        build_action_base(_damaged(change), read_data_file("references.json"))


def test_every_reference_is_used():
    files = " ".join(str(read_data_file(name)) for name in ("agents.json", "rules.json"))
    policy = Path(guideline.__file__).read_text(encoding="utf-8")
    assert [k for k in load_action_base().references if k not in files and k not in policy] == []


def test_formulary_by_name_and_by_exclusion():
    everything = Formulary.everything()
    assert set(everything.available) == set(PAPER)
    assert Formulary.only(["THP", "ethiodized oil"]).available == {"pirarubicin", "lipiodol"}
    without = Formulary.without(["cisplatin", " "])
    assert "cisplatin" not in without
    assert "lipiodol" in without
    assert len(without.available) == len(PAPER) - 1


def test_formulary_names_the_unknown_and_the_closest():
    with pytest.raises(InputError, match=r"'Lobaplatn'.*Lobaplatin"):
        Formulary.without(["Lobaplatn"])
    with pytest.raises(InputError, match=r"'Adasone'"):
        Formulary.only(["Adasone"])


def test_empty_formulary_is_refused():
    with pytest.raises(InputError, match="formulary is empty"):
        Formulary.only([])
    with pytest.raises(InputError, match="formulary is empty"):
        Formulary.without(PAPER)


@pytest.mark.parametrize(
    ("action", "says"),
    [
        (Action("lobaplatin", "drug", 3000.0, "mg"), r"Lobaplatin 3000 mg .* 5 to 70 mg"),
        (Action("lobaplatin", "drug", float("nan"), "mg"), "nan"),
        (Action("lobaplatin", "drug", 30.0, "ml"), "given in mg"),
        (Action("lipiodol", "embolic", 10.0, "mg"), "given in ml"),
        (Action("pva", "embolic", size_um=(1.0, 2.0)), r"PVA 1-2 µm .* 40 to 1500 µm"),
        (Action("lobaplatin", "drug", 30.0, "mg", (100.0, 300.0)), "no particle size"),
    ],
)
def test_implausible_doses_and_sizes_name_value_and_range(action, says):
    with pytest.raises(InputError, match=says):
        require_plausible(Protocol((action,)))


def test_plausible_protocol_passes_and_unknown_agents_have_no_range():
    require_plausible(Protocol((Action("Adasone", "unknown", 1e6, "mg"), load_action_base().usual("lipiodol"))))


def test_a_dose_beyond_what_the_label_advises_is_told_and_not_forbidden():
    told = plausibility(Action("lipiodol", "embolic", 30.0, "ml"))
    assert [(f.severity, f.message) for f in told] == [
        ("warning", "Lipiodol 30 ml: more than 20 ml a session is not recommended.")
    ]
    assert plausibility(Action("lipiodol", "embolic", 20.0, "ml")) == []


def test_merging_adds_doses_and_joins_sizes_in_order():
    protocol = Protocol(
        (
            Action("lobaplatin", "drug", 20.0, "mg"),
            Action("pva", "embolic", size_um=(300.0, 500.0)),
            Action("lobaplatin", "drug", 10.0, "mg"),
            Action("pva", "embolic", size_um=(500.0, 700.0)),
            Action("lobaplatin", "drug"),
        )
    )
    assert protocol.merged().actions == (
        Action("lobaplatin", "drug", 30.0, "mg"),
        Action("pva", "embolic", size_um=(300.0, 700.0)),
    )
