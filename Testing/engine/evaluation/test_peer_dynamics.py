"""The peers' ideas as dynamics models: the seeds' contract, the untreated patient, what they know and do not know."""

import itertools

import numpy as np
import pytest

from mewm.actions.base import load_action_base
from mewm.actions.protocol import Protocol
from mewm.actions.text import parse_protocol
from mewm.dynamics.cellular_automaton import FULL, CellularAutomaton, evolve, treatment_strength
from mewm.dynamics.effects import DRUGS, EMBOLICS
from mewm.dynamics.procedural_texture import ProceduralTexture, scaled_up_noise
from mewm.dynamics.space import lesion_space
from mewm.roi import cut_roi

WEAK = parse_protocol("Hydroxycamptothecin 10 mg; Lipiodol 5 ml").protocol
STRONG = parse_protocol("Lobaplatin 50 mg; Epirubicin 60 mg; Lipiodol 10 ml; PVA 350-560 µm").protocol
MODELS = [ProceduralTexture(), CellularAutomaton()]
by_name = pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)


@pytest.fixture(scope="module")
def roi(phantom_case):
    return cut_roi(phantom_case)


@by_name
def test_seeds_contract(model, roi):
    both = model.simulate(roi, STRONG, [3, 4])
    assert both.shape == (2, 96, 96, 96) and both.dtype == np.float32 and np.isfinite(both).all()
    assert np.array_equal(both[1], model.simulate(roi, STRONG, [4])[0])
    assert not np.array_equal(both[0], both[1])


@by_name
def test_untreated_is_the_same_ct(model, roi):
    assert np.array_equal(model.simulate(roi, Protocol(), [0, 1]), np.stack([roi.ct, roi.ct]))


@by_name
def test_only_the_feather_changes_and_the_lesion_does(model, roi):
    change = np.abs(model.simulate(roi, STRONG, [1])[0] - roi.ct)
    assert change[roi.feather == 0].max() == 0
    assert change[roi.lesion].mean() > 20
    assert change[roi.liver & ~roi.lesion & (roi.feather < 0.5)].mean() < 1


@by_name
def test_hounsfield_units_are_plausible(model, roi):
    post = np.stack([model.simulate(roi, STRONG, [seed])[0][roi.lesion] for seed in range(4)])
    assert post.min() > -120 and post.max() < 2500 and post.max() > 200


def test_texture_ignores_which_protocol_was_given(roi):
    model = ProceduralTexture()
    assert np.array_equal(model.simulate(roi, WEAK, [5]), model.simulate(roi, STRONG, [5]))


def test_texture_shares_differ_between_seeds(roi):
    dense = [(ProceduralTexture().simulate(roi, WEAK, [s])[0][roi.lesion] > 180).mean() for s in range(8)]
    assert max(dense) - min(dense) > 0.25


def test_scaled_up_noise_has_unit_variance_and_its_scale():
    noise = scaled_up_noise(np.random.default_rng(0), (60, 60, 60), 6.0)
    assert noise.std() == pytest.approx(1, abs=1e-3)
    near, far = (np.corrcoef(noise[:-s].ravel(), noise[s:].ravel())[0, 1] for s in (1, 12))
    assert near > 0.9 and abs(far) < 0.2


def test_strength_by_hand():
    # Usual doses: the drug's log-kill, and of the oil the occlusion that lasts.
    base = load_action_base()
    usual = Protocol((base.usual("lobaplatin"), base.usual("lipiodol")))
    oil = EMBOLICS["lipiodol"]
    assert treatment_strength(usual) == pytest.approx(DRUGS["lobaplatin"].log_kill + oil.occlusion * oil.permanence)
    assert treatment_strength(Protocol()) == 0
    assert treatment_strength(STRONG) > treatment_strength(WEAK)


def test_stronger_treatment_kills_more_whatever_the_seed(roi):
    space = lesion_space(roi)
    for seed in range(3):
        left = [(evolve(space, s, seed)[0][space.lesion] >= 5).mean() for s in (0.3, 1.0, 2.0, 3.0)]
        assert all(a > b for a, b in itertools.pairwise(left)), left
        oil = [evolve(space, s, seed)[1].mean() for s in (0.3, 2.0)]
        assert oil[1] > oil[0]


def test_automaton_without_treatment_only_grows(roi):
    space = lesion_space(roi)
    population, _ = evolve(space, 0.0, 1)
    enhancing = space.lesion & (space.smooth >= space.phenotype.viable_threshold_hu)
    assert np.all(population[enhancing] == FULL)
    assert population[~space.lesion].sum() > 0
    assert population.min() >= 0 and population.max() <= FULL
    assert not population[space.distance >= 2.0].any()
