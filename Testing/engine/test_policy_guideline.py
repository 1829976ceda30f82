"""Guideline policy: the case decides the ranking, the rules cut with a reason, the goal is not ignored silently."""

from dataclasses import replace

import numpy as np
import pytest

from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.clinical import ClinicalFacts
from mewm.errors import InputError
from mewm.policy.goal import read_goal
from mewm.policy.guideline import GuidelinePolicy
from mewm.roi import Roi

BASE = load_action_base()
ALL = Formulary.everything()
ANTHRACYCLINES = {a.id for a in BASE.agents.values() if a.drug_class == "anthracycline"}


def make_roi(radius=20.0, hu=130.0, **facts) -> Roi:
    z, y, x = np.ogrid[:96, :96, :96]
    distance = np.sqrt((z - 48) ** 2 + (y - 48) ** 2 + (x - 48) ** 2)
    lesion, liver = distance < radius, distance < 46
    noise = np.random.default_rng(0).normal(0, 6, lesion.shape)
    ct = (np.where(lesion, hu, np.where(liver, 100.0, -50.0)) + noise).astype(np.float32)
    everywhere = np.ones_like(lesion)
    return Roi(ct, lesion, liver, everywhere, lesion.astype(np.float32), 1.0, (0.0, 0.0, 0.0), ClinicalFacts(**facts))


@pytest.fixture(scope="module")
def plain_roi() -> Roi:
    return make_roi()


def propose(roi, goal="", formulary=ALL, drugs=10, embolics=5):
    return GuidelinePolicy().propose(roi, goal, formulary, drugs, embolics)


def with_facts(roi: Roi, **facts) -> Roi:
    return replace(roi, facts=ClinicalFacts(**facts))


def names(actions) -> list[str]:
    return [a.agent for a in actions]


def test_nothing_stated_gives_full_sourced_lists(plain_roi):
    proposal = propose(plain_roi)
    assert len(proposal.drugs) == 10
    assert len(proposal.embolics) == 5
    assert proposal.embolics[0].agent == "lipiodol"
    assert {a.kind for a in proposal.drugs} <= {"drug", "bead"}
    assert "bead" in {a.kind for a in proposal.drugs}
    assert set(proposal.reasons) == set(names(proposal.drugs) + names(proposal.embolics))
    assert all("http" in r or "doi" in r for r in proposal.reasons.values())
    assert not [f for f in proposal.findings if f.severity != "note"]
    assert propose(plain_roi) == proposal


def test_first_drugs_are_of_different_classes(plain_roi):
    first = names(propose(plain_roi).drugs)[:4]
    assert len({BASE.agents[a].drug_class for a in first}) == 4


@pytest.mark.parametrize(("drugs", "embolics"), [(0, 0), (1, 1), (3, 2), (99, 99)])
def test_at_most_the_numbers_asked_for(plain_roi, drugs, embolics):
    proposal = propose(plain_roi, drugs=drugs, embolics=embolics)
    assert len(proposal.drugs) == min(drugs, 12)
    assert len(proposal.embolics) == min(embolics, 7)
    assert names(proposal.embolics)[:1] == (["lipiodol"] if embolics else [])
    left_out = {a for f in proposal.findings if f.rule == "ranked-lower" for a in f.agents}
    assert left_out == set(BASE.agents) - set(names(proposal.drugs)) - set(names(proposal.embolics))


def test_severe_shunt_brings_occluders_first(plain_roi):
    embolics = names(propose(with_facts(plain_roi, arteriovenous_shunt="severe")).embolics)
    assert embolics[0] == "lipiodol"
    assert set(embolics[1:4]) == {"pva", "absolute_alcohol", "nbca"}
    assert embolics != names(propose(plain_roi).embolics)


def test_portal_thrombosis_leaves_temporary_occlusion_only(plain_roi):
    proposal = propose(with_facts(plain_roi, portal_vein_thrombosis="main"))
    assert names(proposal.embolics) == ["lipiodol", "gelatin_sponge"]
    assert "doxorubicin_eluting_beads" not in names(proposal.drugs)
    reasons = [f for f in proposal.findings if f.rule == "main-portal-thrombosis-permanent"]
    assert {a for f in reasons for a in f.agents} >= {"pva", "nbca", "doxorubicin_eluting_beads"}


def test_organ_limits_cut_and_contraindications_warn(plain_roi):
    proposal = propose(with_facts(plain_roi, child_pugh="B9", creatinine_mg_dl=2.5))
    assert not {"cisplatin", "mitomycin", "epirubicin", "doxorubicin"} & set(names(proposal.drugs))
    warned = {f.rule for f in proposal.findings if f.severity == "warning"}
    assert {"tace-decompensated", "tace-renal"} <= warned


def test_what_the_ct_shows_moves_the_ranking(plain_roi):
    rank = {}
    for key, roi in {"small": make_roi(radius=9.0), "large": make_roi(radius=42.0)}.items():
        proposal = propose(roi, drugs=12, embolics=7)
        rank[key] = (
            names(proposal.drugs).index("doxorubicin_eluting_beads"),
            names(proposal.embolics).index("pva"),
        )
        size = next(a.size_um for a in proposal.embolics if a.agent == "pva")
        assert size == ((500.0, 700.0) if key == "large" else (300.0, 500.0))
    assert rank["large"][0] < rank["small"][0]
    dark = propose(make_roi(hu=60.0))
    assert "takes up little oil" in dark.reasons["absolute_alcohol"]
    assert "takes up little oil" not in propose(plain_roi).reasons["absolute_alcohol"]


def test_large_tumour_is_a_relative_contraindication():
    roi = replace(make_roi(radius=42.0), spacing=1.5)
    assert "tace-large-tumour" in {f.rule for f in propose(roi).findings}


def test_formulary_and_allergies_cut_with_a_reason(plain_roi):
    roi = with_facts(plain_roi, allergies=("platinum", "strawberries"))
    proposal = propose(roi, formulary=Formulary.without(["THP", "glue"]))
    assert not {"lobaplatin", "cisplatin", "pirarubicin"} & set(names(proposal.drugs))
    assert "nbca" not in names(proposal.embolics)
    text = " ".join(f.message for f in proposal.findings)
    assert "Pirarubicin: not in the formulary." in text
    assert "allergy to platinum" in text
    assert "'strawberries'" in text


def test_no_protocol_left_is_an_error(plain_roi):
    with pytest.raises(InputError, match="no complete protocol"):
        propose(plain_roi, formulary=Formulary.only(["cisplatin"]))
    with pytest.raises(InputError, match="The goal asks to avoid"):
        propose(plain_roi, "no lipiodol and no beads")


def test_goal_is_followed_and_told(plain_roi):
    proposal = propose(plain_roi, "Avoid platinum, no alcohol. Prefer gelfoam and idarubicin; keep the patient well")
    assert not {"cisplatin", "lobaplatin", "oxaliplatin", "nedaplatin"} & set(names(proposal.drugs))
    assert names(proposal.drugs)[0] == "idarubicin"
    assert names(proposal.embolics)[:2] == ["lipiodol", "gelatin_sponge"]
    assert "absolute_alcohol" not in names(proposal.embolics)
    notes = [f.message for f in proposal.findings if f.rule.startswith("goal") and f.severity == "note"]
    assert any("prefer Idarubicin, Gelatin Sponge" in n for n in notes)
    assert any("'keep the patient well'" in n for n in notes)


@pytest.mark.parametrize(
    ("goal", "avoid", "prefer"),
    [
        ("", set(), set()),
        ("without THP", {"pirarubicin"}, set()),
        ("don't use cisplatin or mitomycin C", {"cisplatin", "mitomycin"}, set()),
        ("no anthracyclines but use raltitrexed", ANTHRACYCLINES, {"raltitrexed"}),
        ("prefer drug-eluting beads", set(), {"doxorubicin_eluting_beads"}),
        ("use PVA, avoid PVA", {"pva"}, set()),
        ("bridge to transplant", set(), set()),
        ("avoid liver failure", set(), set()),
    ],
)
def test_goals(goal, avoid, prefer):
    wish = read_goal(goal, BASE)
    assert wish.avoid == avoid
    assert wish.prefer == prefer
    assert bool(wish.findings) == bool(goal)


def test_an_unread_goal_is_quoted():
    (finding,) = read_goal("avoid liver failure", BASE).findings
    assert finding.rule == "goal-unread"
    assert "'avoid liver failure'" in finding.message
