"""Text ⇄ protocol: exact round trip, typed protocols, angiography reports, one clear sentence for a mistake."""

import random
import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Action, Protocol
from mewm.actions.rules import check
from mewm.actions.text import MAX_CHARACTERS, parse_protocol, render_protocol
from mewm.clinical import ClinicalFacts
from mewm.errors import InputError

BASE = load_action_base()


def read(text: str) -> str:
    return render_protocol(parse_protocol(text).protocol)


def test_renders_the_canonical_form():
    protocol = Protocol(
        (
            Action("lobaplatin", "drug", 30.0, "mg"),
            Action("lipiodol", "embolic", 10.0, "ml"),
            Action("gelatin_sponge", "embolic", size_um=(350.0, 350.0)),
        )
    )
    text = "Lobaplatin 30 mg; Lipiodol 10 ml; Gelatin Sponge 350 µm"
    assert render_protocol(protocol) == text
    assert parse_protocol(text).protocol == protocol
    assert render_protocol(Protocol()) == ""


@pytest.mark.parametrize("agent", sorted(BASE.agents))
def test_usual_action_and_every_alias_come_back(agent):
    usual = Protocol((BASE.usual(agent),))
    assert parse_protocol(render_protocol(usual)).protocol == usual
    for alias in BASE.agents[agent].aliases:
        assert parse_protocol(f"{alias}; Adasone 5 mg").protocol.agents[0] == agent, alias


NAMES = st.text(alphabet=string.ascii_lowercase, min_size=9, max_size=14).map(lambda s: "Zq" + s)


@st.composite
def protocols(draw):
    """Protocols of known agents and invented names, with any positive dose and size."""
    amounts = st.floats(min_value=1e-6, max_value=1e7)
    agents = draw(st.lists(st.sampled_from(sorted(BASE.agents)), unique=True, max_size=5))
    names = draw(st.lists(NAMES, unique=True, max_size=2))
    actions = []
    for name in [*agents, *names]:
        agent = BASE.agents.get(name)
        kind, unit = (agent.kind, agent.unit) if agent else ("unknown", draw(st.sampled_from(["mg", "ml"])))
        dose = draw(st.none() | amounts) if unit else None
        sized = agent is None or agent.size_range_um is not None
        size = draw(st.none() | st.tuples(amounts, amounts).map(lambda s: tuple(sorted(s)))) if sized else None
        actions.append(Action(name, kind, dose, unit if dose is not None else None, size))
    return Protocol(tuple(draw(st.permutations(actions))))


@settings(max_examples=150, deadline=None)
@given(protocols().filter(lambda p: p.actions))
def test_round_trip_is_exact(protocol):
    parsed = parse_protocol(render_protocol(protocol))
    assert parsed.protocol == protocol
    assert set(parsed.unknown) == {a.agent for a in protocol.actions if a.kind == "unknown"}
    assert not parsed.ignored
    assert not parsed.notes


@pytest.mark.parametrize(
    ("text", "means"),
    [
        (
            "lobaplatin 30mg + ethiodized oil 10,5ml, gelfoam 150–350 um",
            "Lobaplatin 30 mg; Lipiodol 10.5 ml; Gelatin Sponge 150-350 µm",
        ),
        ("THP 30 mg\r\nlipiodol 10 cc\r\nPVA 300-500 microns\r\n", "Pirarubicin 30 mg; Lipiodol 10 ml; PVA 300-500 µm"),
        ("Lobaplatin30mg Lipiodol10ml", "Lobaplatin 30 mg; Lipiodol 10 ml"),
        ("Lobaplatin\n30 mg\nLipiodol\n10 ml", "Lobaplatin 30 mg; Lipiodol 10 ml"),
        ("1. Lobaplatin 30 mg\n2. Lipiodol 10 ml", "Lobaplatin 30 mg; Lipiodol 10 ml"),
        ("- Lobaplatin: 30 mg\n- Lipiodol (10 ml)", "Lobaplatin 30 mg; Lipiodol 10 ml"),
        ("Lobaplatin, 30 mg; Lipiodol, 10 ml", "Lobaplatin 30 mg; Lipiodol 10 ml"),
        ("Lobaplatin 30 mg - 10 ml Lipiodol", "Lobaplatin 30 mg; Lipiodol 10 ml"),
        ("Lobaplatin 30㎎, Lipiodol 10㎖, PVA 300㎛", "Lobaplatin 30 mg; Lipiodol 10 ml; PVA 300 µm"),
        ("PVA 150 μm - 350 μm", "PVA 150-350 µm"),
        ("gelatin sponge 1-2 mm", "Gelatin Sponge 1000-2000 µm"),
        ("cisplatin 0,05 g", "Cisplatin 50 mg"),
        ("mitomycin 10000 mcg", "Mitomycin 10 mg"),
        ("Lipiodol .5 ml", "Lipiodol 0.5 ml"),
        ("oxaliplatin 1,000 mg", "Oxaliplatin 1000 mg"),
        ("30 mg of lobaplatin emulsified in 10 ml of Lipiodol", "Lobaplatin 30 mg; Lipiodol 10 ml"),
        (
            "CDDP 50 mg, ADM 50 mg mixed with 10 cc ethiodol, followed by Gelfoam slurry",
            "Cisplatin 50 mg; Doxorubicin 50 mg; Lipiodol 10 ml; Gelatin Sponge",
        ),
        ("drug-eluting beads (100-300 µm) with doxorubicin 75 mg", "Doxorubicin-eluting Beads 75 mg 100-300 µm"),
        ("75 mg doxorubicin-loaded LC beads", "Doxorubicin-eluting Beads 75 mg"),
        ("Cisplatin 20 mg diluted in 100 ml saline; lipiodol 4 ml", "Cisplatin 20 mg; Lipiodol 4 ml"),
        ("Glubran 2 1 ml; 2 vials of Embosphere 300-500 µm", "NBCA 1 ml; Embosphere 300-500 µm"),
        ("no gelatin sponge; lobaplatin 20 mg; lipiodol 5 ml without PVA", "Lobaplatin 20 mg; Lipiodol 5 ml"),
        ("5 ml lipiodol was mixed with contrast medium to create a 9 ml emulsion", "Lipiodol 5 ml"),
        (
            "PVA (200 µm) was injected; dense Lipiodol deposition; the splenic artery was embolized with NBCA",
            "PVA 200 µm",
        ),
    ],
)
def test_reads_what_people_write(text, means):
    assert read(text) == means


def test_two_parts_of_one_drug_add_up_and_stay_visible():
    parsed = parse_protocol(
        "Lobaplatin 20 mg was infused; 10 ml Lipiodol and 10 mg lobaplatin were mixed to an emulsion for embolization"
    )
    assert render_protocol(parsed.protocol) == "Lobaplatin 30 mg; Lipiodol 10 ml"
    assert [(a.agent, a.dose) for a in parsed.parts] == [("lobaplatin", 20), ("lipiodol", 10), ("lobaplatin", 10)]


def test_volume_of_a_drug_is_no_dose():
    parsed = parse_protocol("100 ml Oxaliplatin; Lipiodol 10 ml")
    assert parsed.protocol.actions[0] == Action("oxaliplatin", "drug")
    assert parsed.notes == ("Oxaliplatin: 100 ml is a volume of solution; the dose in mg stays open.",)
    notes = [f.message for f in check(parsed.protocol, ClinicalFacts(), Formulary.everything())]
    assert "Oxaliplatin has no dose; its usual 100 mg is meant." in notes


def test_outcomes_are_never_actions():
    parsed = parse_protocol(
        "Lobaplatin 30 mg; Lipiodol 8 ml, staining disappeared; Gelatin sponge deposition was satisfactory; "
        "persistent shunting of PVA was observed; feeding arteries were occluded on the final angiography"
    )
    assert parsed.protocol.agents == ("lobaplatin", "lipiodol")
    assert len(parsed.ignored) == 3
    assert not parsed.unknown


def test_unknown_names_are_kept_as_written_and_reported():
    parsed = parse_protocol("Adasone 30 mg and Lipiodol 10 ml; 10 mg adasone; Foo-Bar 2 ml; 5-FU 500 mg; Sorafenib")
    assert parsed.unknown == ("Adasone", "Foo-Bar", "5-FU", "Sorafenib")
    assert parsed.protocol.actions[0] == Action("Adasone", "unknown", 40.0, "mg")
    findings = check(parsed.protocol, ClinicalFacts(), Formulary.everything())
    blamed = {f.agents[0] for f in findings if f.rule == "unknown-agent"}
    assert blamed == set(parsed.unknown)


def test_a_bead_with_another_drug_is_not_taken_for_doxorubicin():
    parsed = parse_protocol("300-500 µm DC Beads loaded with 50 mg Epirubicin were used for embolization")
    assert parsed.protocol.actions == (
        Action("DC Beads loaded with Epirubicin", "unknown", 50.0, "mg", (300.0, 500.0)),
    )
    assert parse_protocol("irinotecan-loaded beads 100 mg").unknown == ("irinotecan-loaded beads",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (" \r\n\t", "is empty"),
        ("; ; 12 ;", "No drug or embolic agent"),
        ("the liver was examined", "No drug or embolic agent"),
        ("Lobaplatin 30", r"Lobaplatin 30 has no unit that is known; give it in mg\."),
        ("Lobaplatin 30 xyz", r"Lobaplatin 30 xyz has no unit that is known"),
        ("PVA 300-500", r"PVA 300-500 has no unit that is known; give it in µm\."),
        ("Oxaliplatin 85 mg/m2; Lipiodol 10 ml", r"85 mg/m2: the unit 'mg/m2' cannot be used; give it in mg\."),
        ("Oxaliplatin 85mg/m²", "'mg/m2' cannot be used"),
        ("Cisplatin 5 mg/kg", "'mg/kg' cannot be used"),
        ("Lobaplatin 30 IU", "'iu' cannot be used"),
        ("Lobaplatin -30 mg", r"Lobaplatin -30 mg: the amount must be above zero\."),
        ("Lobaplatin −30 mg", "above zero"),
        ("Lobaplatin 0 mg", "above zero"),
        ("PVA 0 µm", "above zero"),
        ("Lobaplatin nan mg", "not a number"),
        ("Lobaplatin inf mg", "not a number"),
        ("Lobaplatin thirty mg", "'?thirty mg.*not a number"),
        ("Lobaplatin 1e400 mg", "not a number"),
        ("Lipiodol 1.000,5 ml", "not a number"),
        ("10-15 ml Lipiodol", "one dose, not a range"),
        ("x" * (MAX_CHARACTERS + 1), "at most 20000"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(text, says):
    with pytest.raises(InputError, match=says) as error:
        parse_protocol(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


def test_garbage_ends_in_an_answer_or_a_clear_error():
    rng = random.Random(3)
    alphabets = (string.printable, "()-,;+. 1em", "lipiodol 10ml;-", "µ㎎½é中\u0000\u202e 5mg")
    for text in ["".join(rng.choices(a, k=n)) for a in alphabets for n in (3, 30, 300, 20_000)]:
        try:
            parsed = parse_protocol(text)
        except InputError:
            continue
        assert parsed.protocol.actions


# --- real reports ---------------------------------------------------------------------------------------------

WORDS = {
    "lipiodol": "lipiodol",
    "gelatin_sponge": "gelatin sponge",
    "raltitrexed": "raltitrexed",
    "lobaplatin": "lobaplatin",
    "oxaliplatin": "oxaliplatin",
    "nedaplatin": "nedaplatin",
    "cisplatin": "cisplatin",
    "pirarubicin": "pirarubicin|thp",
    "idarubicin": "idarubicin",
    "absolute_alcohol": "alcohol",
    "nbca": "nbca|glubran",
    "embosphere": "embospher",
    "kmg_microspheres": "kmg",
    "Adasone": "adasone",
    "Fudaxin": "fudaxin",
}


@pytest.fixture(scope="module")
def reports(real_data):
    file = real_data / "tace_actions" / "actions.txt"
    if not file.is_file():
        pytest.skip(f"real action texts not found at {file}")
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [(line, parse_protocol(line)) for line in lines]


@pytest.mark.parametrize("agent", WORDS)
def test_real_reports_name_an_agent_exactly_where_its_word_occurs(reports, agent):
    for line, parsed in reports:
        assert (agent in parsed.protocol.agents) == bool(re.search(rf"\b(?:{WORDS[agent]})", line, re.I)), line


def test_real_reports_pva_but_for_the_spleen_and_epirubicin_but_for_beads(reports):
    said = [p for line, p in reports if "PVA" in line]
    assert len(said) - sum("pva" in p.protocol.agents for p in said) == 1
    said = [p for line, p in reports if "Epirubicin" in line]
    assert len(said) - sum("epirubicin" in p.protocol.agents for p in said) == 1


def test_real_reports_report_nothing_else_as_unknown(reports):
    unknown = {name for _, parsed in reports for name in parsed.unknown}
    assert unknown == {"Adasone", "Fudaxin", "particles", "microspheres", "DC Beads loaded with Epirubicin"}


def test_real_reports_have_the_published_shape(reports):
    doses = [a.dose for _, p in reports for a in p.parts if a.agent == "lipiodol"]
    assert max(set(doses), key=doses.count) == 10
    raltitrexed = [a.dose for _, p in reports for a in p.parts if a.agent == "raltitrexed"]
    assert max(set(raltitrexed), key=raltitrexed.count) == 4
    sizes = [a.size_um for _, p in reports for a in p.parts if a.agent == "gelatin_sponge" and a.size_um]
    assert max(set(sizes), key=sizes.count) == (150, 350)
    stated = [a for _, p in reports for a in p.parts if a.kind == "drug"]
    assert sum(a.dose is not None for a in stated) >= 0.97 * len(stated)


def test_real_reports_survive_rendering_and_keep_outcomes_out(reports):
    for line, parsed in reports:
        assert parse_protocol(render_protocol(parsed.protocol)).protocol == parsed.protocol, line
        rendered = render_protocol(parsed.protocol)
        assert not re.search(r"staining|occluded|deposition|emulsion|shunt|spleen", rendered), rendered
