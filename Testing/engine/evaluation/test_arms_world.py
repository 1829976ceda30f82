"""The arms' choices by the rules, the hidden world, and what "without the assistant" sees."""

import numpy as np
import pytest

from mewm.actions import rules
from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Protocol
from mewm.actions.text import parse_protocol
from mewm.assistant.intensity import OIL_HU
from mewm.cohort.outcome import log_hazard
from mewm.cohort.parameters import OutcomeParameters
from mewm.dynamics.response import Sensitivities
from mewm.errors import InputError
from mewm.evaluation import arms
from mewm.evaluation.world import TrueCase, admissible, best_of
from mewm.explore.settings import ExploreSettings
from mewm.measure import measure
from mewm.policy.guideline import GuidelinePolicy
from mewm.roi import cut_roi
from mewm.roles import Tissue

FACTS = {"age": 66, "child_pugh": "A5", "afp_ng_ml": 40.0, "portal_vein_thrombosis": "none", "tumour_number": 1}
SMALL = ExploreSettings(beams=2, drugs=3, embolics=2, replicas=2, drug_horizon=1, embolic_horizon=1)
WHOLE = ExploreSettings()


@pytest.fixture(scope="module")
def roi(phantoms):
    return cut_roi(phantoms.make_phantom_case(size=64, spacing=(2.0, 2.0, 2.0), facts=FACTS))


@pytest.fixture(scope="module")
def truth(roi):
    return TrueCase(roi, Sensitivities({"platinum": 1.5, "anthracycline": 0.6}), roi.facts, OutcomeParameters(), 0.0, 2)


def is_admissible(protocol, roi):
    findings = rules.check(protocol, roi.facts, Formulary.everything())
    return rules.is_complete(protocol) and not any(f.severity == "excluded" for f in findings)


def test_admissible_protocols_are_all_that_the_rules_allow(roi):
    found = admissible(roi, SMALL)
    # One drug with Lipiodol alone, or beads alone: as many as there are drugs and beads.
    drugs = [a for a in load_action_base().agents.values() if a.kind in ("drug", "bead")]
    assert len(found) == len({p.key for p in found}) == len(drugs)
    everything = admissible(roi, WHOLE)
    assert len(everything) > 100 and all(is_admissible(p, roi) for p in everything)


def test_random_arm_is_admissible_differs_between_cases_and_repeats(roi):
    chosen = [arms.RandomArm().choose(arms.ArmCase(roi, seed, WHOLE)) for seed in range(12)]
    assert all(is_admissible(p, roi) for p in chosen) and len({p.key for p in chosen}) > 6
    assert arms.RandomArm().choose(arms.ArmCase(roi, 3, WHOLE)) == chosen[3]


def test_frequent_arm_by_hand(roi):
    # Epirubicin with Lipiodol twice, lobaplatin with Lipiodol three times in other doses and order; beads once.
    treated = [
        *(parse_protocol(t).protocol for t in ("Epirubicin 40 mg; Lipiodol 10 ml",) * 2),
        *(parse_protocol(f"Lipiodol {d} ml; Lobaplatin 30 mg").protocol for d in (5, 10, 20)),
        parse_protocol("DC Bead 100-300 µm").protocol,
    ]
    chosen = arms.FrequentArm(treated).choose(arms.ArmCase(roi, 0, WHOLE))
    assert set(chosen.agents) == {"lobaplatin", "lipiodol"}
    # Where the rules forbid the most frequent one, the next is given.
    from dataclasses import replace

    allergic = replace(roi, facts=replace(roi.facts, allergies=("lobaplatin",)))
    assert set(arms.FrequentArm(treated).choose(arms.ArmCase(allergic, 0, WHOLE)).agents) == {"epirubicin", "lipiodol"}
    assert arms.FrequentArm([treated[3]]).choose(arms.ArmCase(allergic, 0, WHOLE)) is None


def test_policy_arm_is_the_top_of_the_policys_lists(roi):
    policy = GuidelinePolicy()
    chosen = arms.PolicyArm(policy).choose(arms.ArmCase(roi, 0, WHOLE))
    proposal = policy.propose(roi, "", Formulary.everything(), 10, 5)
    assert chosen.agents[0] == proposal.drugs[0].agent
    assert is_admissible(chosen, roi) and len(chosen.actions) <= 3


def test_everything_arm_gives_more_than_any_horizon_and_breaks_no_rule(roi):
    chosen = arms.EverythingArm(GuidelinePolicy()).choose(arms.ArmCase(roi, 0, WHOLE))
    assert is_admissible(chosen, roi) and len(chosen.drugs) > 2 and len(chosen.actions) > 5
    allowed, _ = rules.extensions(
        chosen, map(load_action_base().usual, load_action_base().agents), roi.facts, Formulary.everything(), 9
    )
    assert not [action for action in allowed if action.kind == "embolic"]


def test_expected_hazard_is_the_mean_over_chance_of_the_worlds_own(roi, truth):
    protocol = parse_protocol("Lobaplatin 30 mg; Lipiodol 10 ml").protocol
    by_hand = []
    for seed in range(2):
        after = measure(roi, truth.future(Protocol(protocol.key), seed).tissue)
        by_hand.append(log_hazard(after.viable_ml, after.baseline_ml, protocol, roi.facts, OutcomeParameters()))
    assert truth.expected_log_hazard(protocol) == pytest.approx(np.mean(by_hand))
    # The order in which agents are named does not matter.
    backwards = Protocol(protocol.actions[::-1])
    assert truth.expected_log_hazard(backwards) == truth.expected_log_hazard(protocol)


def test_oracle_and_search_on_true_hazards_find_the_best(roi, truth):
    case = arms.ArmCase(roi, 0, SMALL, truth)
    protocols = admissible(roi, SMALL)
    hazards = truth.hazards(protocols)
    best = arms.OracleArm().choose(case)
    assert hazards[best.key] == min(hazards.values()) and best == best_of(hazards, protocols)
    # As many beams as candidates: nothing that looks bad without its Lipiodol is dropped.
    wide = ExploreSettings(beams=30, drugs=30, embolics=1, replicas=2, drug_horizon=1, embolic_horizon=1)
    found = arms.TrueHazardArm(GuidelinePolicy()).choose(arms.ArmCase(roi, 0, wide, truth))
    assert truth.expected_log_hazard(found) == pytest.approx(min(hazards.values()))
    nothing = arms.ArmCase(roi, 0, SMALL)
    assert arms.OracleArm().choose(nothing) is None
    assert arms.TrueHazardArm(GuidelinePolicy()).choose(nothing) is None


def test_without_the_assistant_only_oil_is_told_from_the_rest(roi):
    ct = roi.ct.copy()
    inside = np.argwhere(roi.lesion)
    dense = tuple(inside[:50].T)
    ct[dense] = OIL_HU + 100
    labels = arms.LesionAssistant().segment(roi, ct)
    assert (labels[dense] == Tissue.LIPIODOL).all() and (labels == Tissue.LIPIODOL).sum() == 50
    assert (labels == Tissue.VIABLE).sum() == roi.lesion.sum() - 50 and not (labels == Tissue.NECROSIS).any()
    assert (labels[roi.liver & ~roi.lesion] == Tissue.LIVER).all()


def test_no_admissible_protocol_is_told(roi):
    from dataclasses import replace

    names = tuple(load_action_base().agents)
    with pytest.raises(InputError, match="admissible protocols is none"):
        admissible(replace(roi, facts=replace(roi.facts, allergies=names)), SMALL)
