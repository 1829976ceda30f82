"""Algorithm 1, the exhaustive referee and the evaluator on worlds small enough to work out by hand."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from engine.explore_toys import (
    CountingDynamics,
    ToyAssistant,
    ToySurvival,
    random_world,
    table_world,
    tiny_roi,
)

from mewm.actions import rules
from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Protocol
from mewm.clinical import ClinicalFacts
from mewm.errors import Cancelled, InputError
from mewm.explore.algorithm1 import explore_algorithm1
from mewm.explore.evaluator import Evaluator, evaluate_protocol
from mewm.explore.exhaustive import explore_exhaustive, regret
from mewm.explore.fast import explore_fast
from mewm.explore.settings import ExploreSettings
from mewm.explore.space import SearchSpace
from mewm.roles import Proposal

R, E, L, G = "raltitrexed", "epirubicin", "lipiodol", "gelatin_sponge"
BEAD = "doxorubicin_eluting_beads"
SEARCHES = (explore_algorithm1, explore_fast, explore_exhaustive)

RISKS = {
    R: 1.0, E: 0.9, f"{R} {E}": 0.8,
    f"{E} {L}": 0.2, f"{R} {L}": 0.95, f"{E} {G}": 0.7, f"{R} {G}": 0.96,
    f"{E} {L} {G}": 0.3, f"{R} {L} {G}": 0.97,
    f"{R} {E} {L}": 0.5, f"{R} {E} {G}": 0.4, f"{R} {E} {L} {G}": 0.6,
}  # fmt: skip


def protocol(*agents):
    return Protocol(tuple(load_action_base().usual(agent) for agent in agents))


def agents(protocols):
    return [set(p.agents) for p in protocols]


def evaluator_of(world, settings, **options):
    return Evaluator(world.roi, world.dynamics, world.assistant, world.survival, settings, **options)


def search(which, world, settings, formulary=None, **options):
    evaluator = evaluator_of(world, settings, **options)
    return which(evaluator, world.policy, formulary or Formulary.everything())


@pytest.fixture
def by_hand():
    return table_world(RISKS, (R, E), (L, G))


@pytest.fixture
def small():
    # The tables state the risk of drugs alone, so that a walk on them can be worked out by hand.
    return ExploreSettings(beams=2, replicas=2, drugs=2, embolics=2, complete_partial=False, look_back=False)


def test_algorithm1_follows_the_walk_worked_out_by_hand(by_hand, small):
    # Step 1: both beams are empty; candidates E 0.9, R 1.0. The first takes E, the second R; R is the worst and
    #   becomes a copy of E.
    # Step 2: both hold E; candidates E+R 0.8, E ("no further drug") 0.9. Taken E+R and E; E is replaced by E+R.
    # Step 3: both hold E+R; candidates E+R+G 0.4, E+R+L 0.5 (not complete before: no staying). L is replaced by G.
    # Step 4: both hold E+R+G, which still needs Lipiodol: one candidate, E+R+G+L 0.6, taken by both.
    result = search(explore_algorithm1, by_hand, small)
    assert agents(result.steps[0].taken) == [{E}, {R}]
    assert [step.replaced for step in result.steps] == [1, 1, 1, None]
    assert agents(result.steps[0].after) == [{E}, {E}]
    assert agents(result.steps[1].taken) == [{R, E}, {E}]
    assert agents(result.steps[1].after) == [{R, E}, {R, E}]
    assert agents(result.steps[2].taken) == [{R, E, G}, {R, E, L}]
    assert agents(result.steps[2].after) == [{R, E, G}, {R, E, G}]
    assert agents(result.steps[3].after) == [{R, E, G, L}, {R, E, G, L}]
    assert [step.phase for step in result.steps] == ["drugs", "drugs", "embolics", "embolics"]
    assert set(result.winner.protocol.agents) == {R, E, G, L}
    assert result.winner.risk == pytest.approx(0.6, abs=1e-6)


def test_algorithm1_counts_what_the_paper_would_simulate(by_hand, small):
    # New candidates: step 1 two beams x 2, step 2 two x 1, step 3 two x 2, step 4 two x 1: 12, twice each.
    # Distinct protocols: E, R, E+R, E+R+L, E+R+G, E+R+L+G: 6, twice each.
    # Complete protocols: three sets of drugs x (L, L+G): 6, twice each.
    result = search(explore_algorithm1, by_hand, small)
    assert result.cost.paper == 24
    assert result.cost.run == 12
    assert result.cost.exhaustive == 12
    assert sum(len(seeds) for _, seeds in by_hand.dynamics.calls) == 12


def test_ranking_keeps_a_better_protocol_that_a_greedy_beam_left_behind(by_hand, small):
    result = search(explore_algorithm1, by_hand, small)
    assert agents(row.protocol for row in result.ranking) == [{R, E, L}, {R, E, G, L}]


def test_exhaustive_search_finds_the_best_and_tells_the_regret_of_others(by_hand, small):
    referee = search(explore_exhaustive, by_hand, small)
    assert set(referee.winner.protocol.agents) == {E, L}
    assert len(referee.ranking) == 6
    assert [row.risk for row in referee.ranking] == sorted(row.risk for row in referee.ranking)
    greedy = search(explore_algorithm1, by_hand, small)
    assert regret(referee, greedy.winner) == pytest.approx(0.4, abs=1e-6)
    assert regret(referee, referee.winner) == 0
    assert regret(referee, None) == float("inf")


def test_the_look_back_leaves_out_the_drug_that_the_embolic_made_superfluous(by_hand, small):
    # Step 5, both hold E+R+G+L: without R 0.3, without G 0.5, as it is 0.6, without E 0.97; without L it is no TACE.
    result = search(explore_algorithm1, by_hand, replace(small, look_back=True))
    last = result.steps[4]
    assert last.phase == "look back"
    assert agents(c.protocol for c in last.branches[0].candidates) == [{E, L, G}, {R, E, L}, {R, E, L, G}, {R, L, G}]
    assert agents(last.after) == [{E, L, G}, {E, L, G}] and set(result.winner.protocol.agents) == {E, L, G}
    # Three new candidates for each of two beams, twice each, beside the 24 of the paper's steps.
    assert result.cost.paper == 24 + 12


def test_the_look_back_keeps_what_a_rule_requires():
    facts = ClinicalFacts(arteriovenous_shunt="severe")
    space = SearchSpace(Proposal((), ()), facts, Formulary.everything(), ExploreSettings())
    whole = space.node(protocol(E, L, "pva"))
    step = space.settings.steps - 1
    assert space.phase(step) == "look back" and space.options(step, whole) == (whole,)
    assert any(finding.severity == "excluded" and finding.source for finding in space.cut(step, whole))


def test_one_beam_is_greedy(by_hand):
    # E 0.9; E+R 0.8 beats staying; E+R+G 0.4 beats E+R+L 0.5; then Lipiodol is all that is left.
    result = search(
        explore_algorithm1, by_hand, ExploreSettings(beams=1, replicas=1, complete_partial=False, look_back=False)
    )
    assert [agents(step.after) for step in result.steps] == [[{E}], [{R, E}], [{R, E, G}], [{R, E, G, L}]]
    assert result.cost.paper == 2 + 1 + 2 + 1
    assert result.winner.risk_sd is None and result.winner.replicas == 1


def test_beams_share_candidates_again_from_the_best_where_there_are_too_few(by_hand):
    # Three empty beams, two candidates: E, R, E; the worst, R, becomes E.
    result = search(explore_algorithm1, by_hand, ExploreSettings(beams=3, replicas=1))
    assert agents(result.steps[0].taken) == [{E}, {R}, {E}]
    assert result.steps[0].replaced == 1


def test_equal_risks_are_settled_by_the_protocol_and_not_by_the_order_of_the_proposal():
    risks = dict.fromkeys(RISKS, 0.5)
    settings = ExploreSettings(beams=2, replicas=1)
    one = search(explore_algorithm1, table_world(risks, (R, E), (L, G)), settings)
    two = search(explore_algorithm1, table_world(risks, (E, R), (G, L)), settings)
    assert one.winner.protocol.key == two.winner.protocol.key
    assert [[p.key for p in s.after] for s in one.steps] == [[p.key for p in s.after] for s in two.steps]


def test_cut_branches_carry_the_rule_that_cut_them():
    world = table_world({"lobaplatin": 1.0, "cisplatin": 2.0, f"lobaplatin {L}": 0.5, f"cisplatin {L}": 0.4},
                        ("lobaplatin", "cisplatin"), (L,))  # fmt: skip
    result = search(
        explore_algorithm1, world, ExploreSettings(beams=1, replicas=1, complete_partial=False, look_back=False)
    )
    (branch,) = result.steps[1].branches
    assert agents(c.protocol for c in branch.candidates) == [{"lobaplatin"}]
    assert any("cisplatin" in f.agents and f.severity == "excluded" and f.source for f in branch.cut)


def test_a_protocol_under_construction_is_judged_as_the_policy_would_complete_it(by_hand, small):
    # Step 1: E is judged by E+L+G 0.3, R by R+L+G 0.97. Step 2: E 0.3 stays before E+R, judged by E+R+L+G 0.6.
    # Step 3: E+L 0.2 is finished and judged by itself, E+G by E+L+G 0.3. Step 4: E+L stays.
    result = search(explore_algorithm1, by_hand, replace(small, complete_partial=True))
    assert [agents(step.after)[0] for step in result.steps] == [{E}, {E}, {E, L}, {E, L}]
    assert set(result.winner.protocol.agents) == {E, L}
    first = result.steps[0].branches[0].candidates[0]
    assert set(first.protocol.agents) == {E} and set(first.judged.agents) == {E, L, G}
    assert first.risk == pytest.approx(0.3, abs=1e-6)
    # Run: E+L+G, R+L+G, E+R+L+G and E+L, twice each; what is judged by the same treatment is simulated once.
    assert result.cost.run == 8


@pytest.mark.parametrize("horizon", [1, 2, 3])
def test_what_completes_a_protocol_keeps_rules_horizon_and_formulary(horizon):
    world = random_world(2)
    world.policy.embolics = (L, "pva", *(e for e in world.policy.embolics if e not in (L, "pva")))
    settings = ExploreSettings(embolic_horizon=horizon)
    formulary = Formulary.without(["pva"])
    result = search(explore_algorithm1, world, settings, formulary=formulary)
    candidates = [c for step in result.steps for branch in step.branches for c in branch.candidates]
    completed = {c.judged for c in candidates if not rules.is_complete(c.protocol)}
    assert completed
    for treatment in completed:
        assert rules.is_complete(treatment)
        assert len(treatment.embolics) <= horizon
        assert len(treatment.embolics) >= min(horizon, 2)
        severities = {f.severity for f in rules.check(treatment, world.roi.facts, formulary)}
        assert "excluded" not in severities


@pytest.mark.parametrize("which", SEARCHES)
def test_only_beads(which):
    world = table_world({BEAD: 0.3}, (BEAD,), (L, G))
    result = search(which, world, ExploreSettings())
    assert result.winner.protocol.agents == (BEAD,)
    assert result.winner.replicas == 5
    assert result.cost.run == 5


@pytest.mark.parametrize("which", SEARCHES)
def test_empty_proposal_has_no_winner(which):
    result = search(which, table_world({}, (), ()), ExploreSettings())
    assert result.winner is None
    assert result.ranking == ()
    assert result.cost.run == 0


@pytest.mark.parametrize("which", SEARCHES)
def test_rules_that_leave_nothing_have_no_winner_and_say_why(which):
    world = table_world(RISKS, (R, E), (L, G))
    result = search(which, world, ExploreSettings(), formulary=Formulary.without(["lipiodol"]))
    assert result.winner is None
    assert world.dynamics.calls == []
    if result.steps:
        (branch,) = result.steps[0].branches
        assert branch.candidates == ()
        assert any("Lipiodol" in finding.message for finding in branch.cut)
        assert result.steps[0].after == ()


def test_beam_without_embolics_to_take_drops_out():
    # The policy proposes no Lipiodol: drugs are admissible, no embolic step can complete them.
    world = table_world({R: 1.0}, (R,), ())
    result = search(explore_algorithm1, world, ExploreSettings(beams=2, replicas=1))
    assert result.winner is None
    assert result.steps[-1].phase == "embolics"
    assert result.steps[-1].after == ()
    assert len(result.steps) == 3


@pytest.mark.parametrize("which", SEARCHES)
def test_same_seed_gives_the_same_result_alone_and_beside_other_searches(which):
    def once(seed):
        return json.dumps(search(which, random_world(3, drugs=3, embolics=2), ExploreSettings(seed=seed)).to_dict())

    alone = [once(1), once(2)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(once, [1, 2]))
    assert together == alone
    assert alone[0] != alone[1]


@pytest.mark.parametrize("which", SEARCHES)
def test_cancel_stops_before_the_next_simulation(which):
    world = random_world(0, drugs=4, embolics=3)
    cancel = threading.Event()
    seen = []

    def on_event(event):
        seen.append(event)
        if sum(e.kind == "scored" for e in seen) == 3:
            cancel.set()

    with pytest.raises(Cancelled):
        search(which, world, ExploreSettings(), on_event=on_event, cancel=cancel)
    assert len(world.dynamics.calls) == 3
    assert seen[-1].kind != "simulated"


@pytest.mark.parametrize("which", SEARCHES)
def test_events_show_each_protocol_before_its_first_numbers_and_count_up(which):
    events = []
    result = search(which, random_world(1, drugs=4, embolics=3), ExploreSettings(), on_event=events.append)
    assert events[0].kind == "stage" and events[0].message
    shown, scored = [], []
    for event in events:
        assert event.done <= event.total
        if event.kind == "simulated":
            assert event.protocol.key not in shown
            assert event.future.ct.dtype == np.int16 and event.future.tissue.dtype == np.uint8
            shown.append(event.protocol.key)
        if event.kind == "scored":
            assert event.scored.protocol.key in shown
            scored.append(event.scored)
    done = [event.done for event in events]
    assert done == sorted(done)
    assert done[-1] == result.cost.run
    last = {row.protocol.key: row for row in scored}
    assert last[result.winner.protocol.key].risk == pytest.approx(result.winner.risk)


def test_evaluator_runs_no_future_twice_and_gives_every_protocol_the_same_seeds():
    world = random_world(0)
    evaluator = evaluator_of(world, ExploreSettings(replicas=4))
    evaluator.run(protocol(R, L), 1)
    evaluator.run(protocol(R, L), 3)
    evaluator.run(protocol(L, R))
    evaluator.run(protocol(R, L))
    seeds = evaluator.seeds
    assert [s for _, s in world.dynamics.calls] == [seeds[:1], seeds[1:3], seeds[3:]]
    assert len(set(seeds)) == 4
    assert evaluator.simulations_run == 4
    assert evaluator_of(world, ExploreSettings(replicas=9)).seeds[:4] == seeds
    assert evaluator_of(world, ExploreSettings(replicas=4, seed=1)).seeds != seeds


def test_order_of_agents_does_not_change_a_future():
    order_matters = CountingDynamics(lambda p, seed: -0.1 * p.agents.index(L))
    evaluator = Evaluator(tiny_roi(), order_matters, ToyAssistant(), ToySurvival({}), ExploreSettings())
    one = evaluator.run(protocol(R, L, E, G))
    other = Evaluator(tiny_roi(), order_matters, ToyAssistant(), ToySurvival({}), ExploreSettings())
    assert other.run(protocol(G, E, L, R)) == one


def test_scored_protocol_has_the_means_over_the_replicas(by_hand):
    noisy = CountingDynamics(lambda p, seed: -0.5 - (seed % 7) / 10)
    evaluator = Evaluator(by_hand.roi, noisy, by_hand.assistant, by_hand.survival, ExploreSettings())
    scored = evaluate_protocol(evaluator, protocol(R, L))
    expected = [-0.5 - (seed % 7) / 10 for seed in evaluator.seeds]
    assert scored.risks == pytest.approx(expected, abs=1e-6)
    assert scored.risk == pytest.approx(np.mean(expected), abs=1e-6)
    assert scored.risk_sd == pytest.approx(np.std(expected, ddof=1), abs=1e-6)
    assert scored.survival_1y == pytest.approx(np.mean(np.exp(-0.3 * np.exp(expected))), abs=1e-6)
    viable = [round(64 * np.exp(e)) / 64 for e in expected]
    assert scored.measurements.viable_fraction == pytest.approx(np.mean(viable))
    assert scored.complete


def test_protocol_of_the_user_keeps_the_findings_it_overrides(by_hand):
    own = protocol("lobaplatin", "cisplatin", L)
    by_hand.dynamics.log_viable = lambda protocol, seed: 0.0
    findings = rules.check(own, by_hand.roi.facts, Formulary.everything())
    scored = evaluate_protocol(evaluator_of(by_hand, ExploreSettings()), own, findings)
    assert scored.replicas == 5
    assert any(finding.severity == "excluded" for finding in scored.findings)
    assert json.loads(json.dumps(scored.to_dict()))["findings"][0]["rule"]


def test_kept_volumes_stay_within_their_memory_and_the_best_stay_longest(by_hand):
    one = by_hand.roi.ct.size * 3 / 2**20
    evaluator = evaluator_of(by_hand, ExploreSettings(replicas=1), keep_mb=2.5 * one)
    for names in ((E,), (E, L), (R, L), (R, E, L)):
        evaluator.run(protocol(*names))
    assert evaluator.simulations_run == 4
    evaluator.future(protocol(E, L))
    evaluator.future(protocol(R, E, L))
    assert evaluator.simulations_run == 4
    again = evaluator.future(protocol(E))
    assert evaluator.simulations_run == 5
    assert again.ct.shape == by_hand.roi.ct.shape


def test_result_is_plain_json(by_hand, small):
    result = search(explore_algorithm1, by_hand, small)
    written = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert written["simulations"] == {"run": 12, "paper": 24, "exhaustive": 12}
    assert written["winner"]["replicas"] == 2
    assert written["steps"][0]["branches"][0]["candidates"][0]["replicas"] == 2
    assert written["settings"]["beams"] == 2


def test_unbounded_median_survival_becomes_null(by_hand, small):
    class Endless(ToySurvival):
        def score(self, roi, post_ct, tissue, protocol):
            return replace(super().score(roi, post_ct, tissue, protocol), median_weeks=float("inf"))

    by_hand.survival = Endless({}, floor=0.0)
    assert search(explore_algorithm1, by_hand, small).to_dict()["winner"]["median_weeks"] is None


@pytest.mark.parametrize(
    ("name", "value"), [("beams", 0), ("replicas", 1000), ("drugs", 2.5), ("seed", -1), ("embolic_horizon", True)]
)
def test_settings_out_of_range_are_refused_in_a_sentence(name, value):
    with pytest.raises(InputError, match=name.replace("_", " ")) as caught:
        ExploreSettings(**{name: value})
    assert repr(value) in str(caught.value)


def test_exhaustive_search_refuses_what_would_never_end(monkeypatch):
    monkeypatch.setattr("mewm.explore.exhaustive.COUNTABLE_PROTOCOLS", 50)
    monkeypatch.setattr("mewm.explore.finish.COUNTABLE_PROTOCOLS", 50)
    settings = ExploreSettings(replicas=1, beams=1)
    with pytest.raises(InputError, match="more than 50 protocols"):
        search(explore_exhaustive, random_world(0), settings)
    assert search(explore_algorithm1, random_world(0), settings).cost.exhaustive is None
