"""The fast search against Algorithm 1, and the belief it rests on."""

import numpy as np
import pytest
from engine.explore_toys import random_world, table_world

from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Protocol
from mewm.clinical import ClinicalFacts
from mewm.explore.algorithm1 import explore_algorithm1
from mewm.explore.draws import NOBODY, DrawTable, play_draws
from mewm.explore.evaluator import Evaluator
from mewm.explore.exhaustive import explore_exhaustive
from mewm.explore.fast import explore_fast
from mewm.explore.settings import ExploreSettings
from mewm.explore.space import SearchSpace
from mewm.explore.surrogate import RiskSurrogate
from mewm.explore.walk import walk, winner
from mewm.roles import Proposal


def search(which, world, settings):
    evaluator = Evaluator(world.roi, world.dynamics, world.assistant, world.survival, settings)
    return which(evaluator, world.policy, Formulary.everything())


def proposal(drugs, embolics):
    usual = load_action_base().usual
    return Proposal(tuple(map(usual, drugs)), tuple(map(usual, embolics)))


def space_of(settings):
    drugs = ("raltitrexed", "lobaplatin", "epirubicin", "mitomycin", "doxorubicin_eluting_beads")
    offered = proposal(drugs, ("lipiodol", "gelatin_sponge", "pva", "nbca"))
    return SearchSpace(offered, ClinicalFacts(), Formulary.everything(), settings)


def clear_world(case):
    """A case whose protocols differ by more than luck; the benchmark prints how often harder ones agree."""
    return random_world(case, interaction=0.02, own=0.01, rest=0.002)


@pytest.mark.parametrize("case", range(4))
def test_fast_search_finds_the_winner_of_algorithm1_with_a_tenth_of_its_simulations(case):
    settings = ExploreSettings(seed=case)
    paper = search(explore_algorithm1, clear_world(case), settings)
    world = clear_world(case)
    fast = search(explore_fast, world, settings)
    assert fast.winner.protocol.key == paper.winner.protocol.key
    assert fast.winner.risks == paper.winner.risks
    assert fast.cost.run * 10 <= paper.cost.paper
    assert sum(len(seeds) for _, seeds in world.dynamics.calls) == fast.cost.run
    assert len({(key, seed) for key, seeds in world.dynamics.calls for seed in seeds}) == fast.cost.run


@pytest.mark.parametrize("case", range(3))
def test_small_search_is_exact(case):
    settings = ExploreSettings(seed=case, beams=1, replicas=1)
    paper = search(explore_algorithm1, random_world(case), settings)
    fast = search(explore_fast, random_world(case), settings)
    assert fast.winner.protocol.key == paper.winner.protocol.key
    assert [[p.key for p in s.after] for s in fast.steps] == [[p.key for p in s.after] for s in paper.steps]


def test_exhaustive_search_is_never_worse():
    settings = ExploreSettings(replicas=2)
    for case in range(2):
        referee = search(explore_exhaustive, random_world(case, drugs=5, embolics=3), settings)
        for which in (explore_algorithm1, explore_fast):
            other = search(which, random_world(case, drugs=5, embolics=3), settings)
            assert other.winner.risk >= referee.winner.risk


def test_fast_search_marks_what_it_only_estimated_and_confirms_the_winner():
    settings = ExploreSettings(seed=4)
    fast = search(explore_fast, random_world(4), settings)
    candidates = [c for step in fast.steps for branch in step.branches for c in branch.candidates]
    assert any(c.replicas == 0 for c in candidates)
    assert any(c.replicas == 5 and c.protocol.key == fast.winner.protocol.key for c in candidates)
    assert fast.winner.replicas == 5
    assert 0 < fast.agreement <= 1
    assert search(explore_algorithm1, random_world(4), settings).agreement is None


def test_row_with_few_replicas_is_corrected_by_the_luck_it_shares_with_the_winner():
    # Without noise of a protocol's own, one replica and the correction give the mean over all five exactly.
    world = random_world(7, own=0.0, rest=0.0)
    world.survival.floor = 0.0
    fast = search(explore_fast, world, ExploreSettings(seed=7))
    few = [row for row in fast.ranking if row.replicas < 5]
    assert few
    everything = Evaluator(world.roi, world.dynamics, world.assistant, world.survival, ExploreSettings(seed=7))
    for row in few:
        assert row.risk == pytest.approx(everything.run(row.protocol), abs=1e-5)


def test_every_draw_is_played_as_the_plain_walk_plays_it():
    draws = 40
    rng = np.random.default_rng(0)
    for settings in (ExploreSettings(), ExploreSettings(beams=1), ExploreSettings(beams=8, embolic_horizon=1)):
        space = space_of(settings)
        # Few distinct values: ties are common and must be settled alike.
        levels = {}

        def draw(nodes, levels=levels):
            for node in nodes:
                levels.setdefault(node, rng.integers(0, 6, draws).astype(float))
            return np.array([levels[node] for node in nodes])

        played = play_draws(space, DrawTable(draw, draws), draws)
        for number in range(draws):

            def risk(node, number=number):
                return float(draw([node])[0, number])

            moves = walk(space, risk)
            for step, move in enumerate(moves):
                assert tuple(played.taken[step][number]) == move.taken
                assert tuple(played.after[step][number]) == move.after
            assert played.winners[number] == winner(space, risk, moves)


def test_a_node_that_no_walk_met_is_drawn_when_it_is_asked_for():
    table = DrawTable(lambda nodes: np.array([[node, node + 0.5] for node in nodes], float), 2)
    table.rows([3, 1])
    assert table.of(7).tolist() == [7.0, 7.5] and table.of(1).tolist() == [1.0, 1.5]


def test_draws_without_any_complete_protocol_have_no_winner():
    offered = proposal(("raltitrexed",), ())
    space = SearchSpace(offered, ClinicalFacts(), Formulary.everything(), ExploreSettings(beams=2))
    played = play_draws(space, DrawTable(lambda nodes: np.zeros((len(nodes), 3)), 3), 3)
    assert played.winners.tolist() == [NOBODY] * 3


def test_belief_is_certain_of_what_is_known_and_honest_about_the_rest():
    settings = ExploreSettings(replicas=3)
    space = space_of(settings)
    nodes = space.options(0, 0)
    belief = RiskSurrogate(
        space.proposal, space.protocols.__getitem__, replicas=3, draws=400, rng=np.random.default_rng(0)
    )
    rng = np.random.default_rng(1)
    risks = {node: rng.normal(node, 0.3, 3) for node in nodes[:3]}
    for node, values in risks.items():
        for replica, value in enumerate(values):
            belief.learn(node, replica, float(value))
    belief.update()
    for node, values in risks.items():
        assert belief.mean(node) == pytest.approx(values.mean(), abs=1e-3)
        assert belief.draws([node]).std() < 1e-3
    unknown = belief.draws([nodes[3]])[0]
    assert unknown.std() > 0.3
    assert unknown.mean() == pytest.approx(belief.mean(nodes[3]), abs=4 * unknown.std() / 20)


def test_belief_learns_that_effects_add_up():
    space = space_of(ExploreSettings())
    effect = {
        "raltitrexed": -0.3,
        "lobaplatin": 0.4,
        "epirubicin": 0.1,
        "mitomycin": -0.2,
        "lipiodol": -1.0,
        "pva": 0.5,
    }
    usual = load_action_base().usual

    def node(*agents):
        return space.node(Protocol(tuple(usual(a) for a in agents)))

    belief = RiskSurrogate(
        space.proposal, space.protocols.__getitem__, replicas=1, draws=200, rng=np.random.default_rng(0)
    )
    shown = [("raltitrexed",), ("lobaplatin",), ("epirubicin",), ("mitomycin",), ("raltitrexed", "lobaplatin"),
             ("raltitrexed", "lipiodol"), ("lobaplatin", "lipiodol"), ("raltitrexed", "lipiodol", "pva"),
             ("epirubicin", "mitomycin"), ("epirubicin", "lipiodol")]  # fmt: skip
    for agents in shown:
        belief.learn(node(*agents), 0, sum(effect[a] for a in agents))
    belief.update()
    unseen = ("mitomycin", "lobaplatin", "lipiodol", "pva")
    assert belief.mean(node(*unseen)) == pytest.approx(sum(effect[a] for a in unseen), abs=0.25)


def test_exact_ties_do_not_keep_the_fast_search_busy():
    names = ("raltitrexed", "epirubicin", "mitomycin")
    table = {}
    for drugs in [(a,) for a in names] + [(a, b) for a in names for b in names if a < b]:
        for extra in ((), ("lipiodol",), ("gelatin_sponge",), ("lipiodol", "gelatin_sponge")):
            table[" ".join((*drugs, *extra))] = -1.0 if "lipiodol" in extra else 0.0
    world = table_world(table, names, ("lipiodol", "gelatin_sponge"))
    paper = search(explore_algorithm1, world, ExploreSettings())
    fast = search(explore_fast, world, ExploreSettings())
    assert fast.cost.run * 3 <= paper.cost.paper
    assert fast.winner.risk == pytest.approx(paper.winner.risk)


def test_a_protocol_names_oil_before_what_closes_the_vessel_however_it_was_found():
    offered = proposal(["lobaplatin"], ["lipiodol", "embosphere"])
    space = SearchSpace(offered, ClinicalFacts(), Formulary.everything(), ExploreSettings())
    drug, (oil, spheres) = offered.drugs[0], offered.embolics
    one = space.node(Protocol((drug, spheres, oil)))
    assert space.protocols[one].agents == ("lobaplatin", "lipiodol", "embosphere")
    assert space.node(Protocol((oil, drug, spheres))) == one
