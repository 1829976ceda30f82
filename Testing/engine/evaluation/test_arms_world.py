"""The arms' choices by the rules, the hidden world, and what "without the assistant" sees."""

from types import SimpleNamespace

import numpy as np
import pytest

from mewm.actions import rules
from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Protocol
from mewm.actions.text import parse_protocol
from mewm.assistant.intensity import OIL_HU, IntensityAssistant
from mewm.assistant.without import LesionAssistant
from mewm.cohort.hazards import admissible, best_of, write_hazards
from mewm.cohort.parameters import OutcomeParameters
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.dynamics.sensitivities import Sensitivities
from mewm.errors import InputError
from mewm.evaluation import arms, search_arms
from mewm.evaluation.world import TrueCase, true_case
from mewm.explore.settings import ExploreSettings
from mewm.policy.guideline import GuidelinePolicy
from mewm.policy.policy_only import Choice
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
    return TrueCase(roi, Sensitivities({"platinum": 1.5, "anthracycline": 0.6}), roi.facts, OutcomeParameters(), 0.0)


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


def test_endpoint_arm_passes_on_the_choice_and_why_there_is_none():
    protocol = parse_protocol("Lobaplatin 30 mg; Lipiodol 10 ml").protocol
    answers = iter([Choice(protocol), Choice(None, failure="The endpoint is down.")])
    arm = arms.EndpointArm(SimpleNamespace(name="x alone", choose=lambda roi: next(answers)))
    assert (arm.choose(arms.ArmCase(None, 0, WHOLE)), arm.failure, arm.name) == (protocol, "", "x alone")
    assert (arm.choose(arms.ArmCase(None, 0, WHOLE)), arm.failure) == (None, "The endpoint is down.")


def test_a_hazard_is_computed_once_and_for_any_order_of_agents(roi, truth):
    protocol = parse_protocol("Lobaplatin 30 mg; Lipiodol 10 ml").protocol
    known = TrueCase(roi, truth.sensitivities, roi.facts, OutcomeParameters(), 0.0, {protocol.key: 7.5})
    assert known.expected_log_hazard(Protocol(protocol.actions[::-1])) == 7.5
    other = parse_protocol("Epirubicin 40 mg; Lipiodol 10 ml").protocol
    together = truth.hazards([protocol, other])
    assert together == {p.key: truth.expected_log_hazard(p) for p in (protocol, other)}


LINE = {
    "case_id": "c",
    "oil_retention": "1.2",
    "phenotype_shunt": "mild",
    "growth": "1.5",
    "sensitivity_platinum": "1.5",
    "sensitivity_pva": "0.9",
    "log_hazard": "0.7",
    "true_age": "70",
    "true_child_pugh": "B7",
    "true_extrahepatic_spread": "true",
    "true_bclc": "",
}


def test_the_truth_is_read_from_its_line_and_the_stored_hazards(roi, tmp_path):
    info = {"parameters": {"outcome": {"viable": 0.5}}}
    found = true_case(roi, LINE, info)
    assert found.sensitivities.drug_class == {"platinum": 1.5} and found.sensitivities.embolic == {"pva": 0.9}
    assert (found.sensitivities.retention, found.sensitivities.shunt, found.log_hazard) == (1.2, 0.5, 0.7)
    assert (found.facts.age, found.facts.child_pugh, found.facts.extrahepatic_spread) == (70, "B7", True)
    assert found.outcome.viable == 0.5 and found.outcome.ecog == OutcomeParameters().ecog and not found.known
    protocol = parse_protocol("Lobaplatin 30 mg; Lipiodol 10 ml").protocol
    write_hazards({protocol.key: 3.25}, [protocol], tmp_path / "hazards.csv")
    assert true_case(roi, LINE, info, tmp_path).expected_log_hazard(protocol) == 3.25
    with pytest.raises(InputError, match="truth of c cannot be read"):
        true_case(roi, {**LINE, "growth": "fast"}, info)


def test_oracle_and_search_on_true_hazards_find_the_best(roi, truth):
    case = arms.ArmCase(roi, 0, SMALL, truth)
    protocols = admissible(roi, SMALL)
    hazards = truth.hazards(protocols)
    best = arms.OracleArm().choose(case)
    assert hazards[best.key] == min(hazards.values()) and best == best_of(hazards, protocols)
    for policy in (GuidelinePolicy(), None):
        # As many beams as candidates: nothing that looks bad at first is dropped.
        wide = ExploreSettings(beams=30, drugs=30, embolics=1, replicas=2, drug_horizon=1, embolic_horizon=1)
        found = search_arms.TrueHazardArm(policy).choose(arms.ArmCase(roi, 0, wide, truth))
        assert truth.expected_log_hazard(found) == pytest.approx(min(hazards.values()))
    nothing = arms.ArmCase(roi, 0, SMALL)
    assert arms.OracleArm().choose(nothing) is None
    assert search_arms.TrueHazardArm().choose(nothing) is None


def test_the_full_method_told_the_truth_sees_the_true_labels(roi, truth, monkeypatch):
    world = search_arms._Labelled(MechanisticDynamics(truth.sensitivities))
    protocol = parse_protocol("Lobaplatin 30 mg; Lipiodol 10 ml").protocol
    futures = world.simulate(roi, protocol, [3, 4])
    for ct, seed in zip(futures, (3, 4), strict=True):
        assert np.array_equal(world.segment(roi, ct), truth.future(protocol, seed).tissue)
        assert np.array_equal(ct, truth.future(protocol, seed).ct)
    seen = []
    monkeypatch.setattr(search_arms.SearchArm, "choose", lambda arm, case: seen.append((arm._dynamics, arm._assistant)))
    case, assistant = arms.ArmCase(roi, 0, SMALL, truth), IntensityAssistant()
    for told in (False, True):
        search_arms.TrueResponseArm(GuidelinePolicy(), assistant, None, true_tissue=told).choose(case)
    (plain, reader), (told, labels) = seen
    assert plain.sensitivities is truth.sensitivities and reader is assistant
    assert told is labels and told.dynamics.sensitivities is truth.sensitivities


def test_without_the_assistant_only_oil_is_told_from_the_rest(roi):
    ct = roi.ct.copy()
    inside = np.argwhere(roi.lesion)
    dense = tuple(inside[:50].T)
    ct[dense] = OIL_HU + 100
    labels = LesionAssistant().segment(roi, ct)
    assert (labels[dense] == Tissue.LIPIODOL).all() and (labels == Tissue.LIPIODOL).sum() == 50
    assert (labels == Tissue.VIABLE).sum() == roi.lesion.sum() - 50 and not (labels == Tissue.NECROSIS).any()
    assert (labels[roi.liver & ~roi.lesion] == Tissue.LIVER).all()


def test_no_admissible_protocol_is_told(roi):
    from dataclasses import replace

    names = tuple(load_action_base().agents)
    with pytest.raises(InputError, match="admissible protocols is none"):
        admissible(replace(roi, facts=replace(roi.facts, allergies=names)), SMALL)
