"""Every agent has an effect, and the rankings that have a source hold."""

import pytest

from mewm.actions.base import load_action_base
from mewm.actions.protocol import Action, Protocol
from mewm.dynamics.effects import DRUGS, EMBOLICS, distal_reach, dose_factor, drug_class, protocol_toxicity

AGENTS = load_action_base().agents


def test_every_agent_of_the_action_base_has_its_effect_and_no_other():
    assert set(DRUGS) == {a.id for a in AGENTS.values() if a.kind in ("drug", "bead")}
    assert set(EMBOLICS) == {a.id for a in AGENTS.values() if a.kind in ("embolic", "bead")}


@pytest.mark.parametrize("agent", sorted(EMBOLICS))
def test_embolic_effects_are_shares(agent):
    effect = EMBOLICS[agent]
    shares = (effect.occlusion, effect.permanence, effect.distal, effect.retention, effect.shunt_closure, effect.gas)
    assert all(0 <= value <= 1 for value in shares)


def test_permanence_agrees_with_the_action_base():
    for agent in AGENTS.values():
        if agent.occlusion == "permanent":
            assert EMBOLICS[agent.id].permanence > EMBOLICS["gelatin_sponge"].permanence


@pytest.mark.parametrize("agent", ["absolute_alcohol", "pva", "nbca"])
def test_permanent_agents_close_a_shunt_better_than_gelatin(agent):
    assert EMBOLICS[agent].shunt_closure > EMBOLICS["gelatin_sponge"].shunt_closure


def test_only_gelatin_leaves_gas():
    assert [agent for agent, effect in EMBOLICS.items() if effect.gas] == ["gelatin_sponge"]


def test_smaller_particles_reach_further():
    sizes = [(750.0, 1000.0), (300.0, 500.0), (100.0, 300.0), None]
    reach = [distal_reach(Action("pva", "embolic", size_um=size)) for size in sizes]
    assert reach[0] < reach[1] < reach[2]
    assert reach[3] == EMBOLICS["pva"].distal


def test_dose_counts_relative_to_the_usual_one():
    usual = AGENTS["lobaplatin"].usual_dose
    factor = [dose_factor(Action("lobaplatin", "drug", d, "mg")) for d in (None, usual / 2, usual, 2 * usual)]
    assert factor[0] == factor[2] == 1
    assert factor[1] < 1 < factor[3] < 2


def test_toxicity_adds_up_and_is_none_for_no_treatment():
    lobaplatin, oil = Action("lobaplatin", "drug", 30, "mg"), Action("lipiodol", "embolic", 10, "ml")
    nothing, one, both = (protocol_toxicity(Protocol(a)) for a in ((), (lobaplatin,), (lobaplatin, oil)))
    assert (nothing.systemic, nothing.hepatic) == (0, 0)
    assert both.systemic == one.systemic > 0
    assert both.hepatic == pytest.approx(one.hepatic + EMBOLICS["lipiodol"].hepatic)


def test_drug_class_is_that_of_the_action_base():
    assert drug_class("lobaplatin") == "platinum"
    assert drug_class("doxorubicin_eluting_beads") == "anthracycline"
