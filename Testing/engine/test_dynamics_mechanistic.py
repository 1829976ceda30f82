"""The mechanistic simulator behaves as the physics it stands for, and as the search relies on."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from mewm.actions.base import load_action_base
from mewm.actions.protocol import Protocol
from mewm.actions.text import parse_protocol
from mewm.clinical import ClinicalFacts
from mewm.dynamics.effects import DRUGS, EMBOLICS, protocol_toxicity
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.dynamics.phenotype import read_phenotype
from mewm.dynamics.sensitivities import Sensitivities, estimate_sensitivities
from mewm.errors import InputError
from mewm.roi import cut_roi
from mewm.roles import Tissue

USUAL = "Lobaplatin 30 mg; Lipiodol 10 ml; Gelatin Sponge 150-350 µm"
SEEDS = tuple(range(8))


def protocol(text: str) -> Protocol:
    return parse_protocol(text).protocol


@pytest.fixture(scope="module")
def roi(phantom_case):
    return cut_roi(phantom_case)


@pytest.fixture(scope="module")
def dynamics():
    return MechanisticDynamics()


def mean_viable(dynamics, roi, text, seeds=SEEDS):
    return np.mean([dynamics.respond(roi, protocol(text), seed).viable_fraction for seed in seeds])


def mean_coverage(dynamics, roi, text, seeds=SEEDS):
    return np.mean([dynamics.respond(roi, protocol(text), seed).coverage for seed in seeds])


def test_no_treatment_leaves_the_ct_as_it_is(dynamics, roi):
    np.testing.assert_array_equal(dynamics.simulate(roi, Protocol(), [3, 4]), np.stack([roi.ct] * 2))


def test_one_future_per_seed_in_hounsfield_units(dynamics, roi):
    futures = dynamics.simulate(roi, protocol(USUAL), [1, 2, 3])
    assert futures.shape == (3, 96, 96, 96)
    assert futures.dtype == np.float32
    assert np.isfinite(futures).all()
    assert futures.min() >= -1100
    assert futures.max() <= 3071


def test_same_seed_same_future_whatever_was_simulated_before(dynamics, roi):
    first = MechanisticDynamics().simulate(roi, protocol(USUAL), [5])
    dynamics.simulate(roi, protocol("Cisplatin 50 mg; Lipiodol 5 ml"), [9, 5])
    np.testing.assert_array_equal(dynamics.simulate(roi, protocol(USUAL), [5]), first)


def test_the_order_of_the_agents_does_not_matter(dynamics, roi):
    turned = Protocol(tuple(reversed(protocol(USUAL).actions)))
    np.testing.assert_array_equal(dynamics.simulate(roi, turned, [2]), dynamics.simulate(roi, protocol(USUAL), [2]))


def test_nothing_changes_where_the_feather_is_zero(dynamics, roi):
    futures = dynamics.simulate(roi, protocol(USUAL), [1, 2])
    assert np.abs((futures - roi.ct)[:, roi.feather == 0]).max() == 0


def test_oil_is_dense_and_necrosis_does_not_enhance(dynamics, roi):
    seed = next(s for s in SEEDS if dynamics.respond(roi, protocol(USUAL), s).coverage > 0.3)
    post = dynamics.simulate(roi, protocol(USUAL), [seed])[0]
    tissue = dynamics.tissue(roi, protocol(USUAL), seed)
    liver = np.median(roi.ct[roi.liver & ~roi.lesion])
    # Tumour-to-liver contrast 283 ± 152 HU (JVIR 2013, 10.1016/j.jvir.2013.08.017).
    assert 130 < np.median(post[tissue == Tissue.LIPIODOL]) - liver < 900


def test_beads_leave_necrosis_and_no_oil(dynamics, roi):
    beads = protocol("Doxorubicin-eluting beads 75 mg 100-300 µm")
    responses = [dynamics.respond(roi, beads, seed) for seed in SEEDS]
    assert max(response.coverage for response in responses) == 0
    best = int(np.argmin([response.viable_fraction for response in responses]))
    tissue = dynamics.tissue(roi, beads, best)
    post = dynamics.simulate(roi, beads, [best])[0]
    assert (tissue == Tissue.LIPIODOL).sum() == 0
    assert 5 < np.median(post[tissue == Tissue.NECROSIS]) < 60


def test_necrosis_keeps_the_noise_of_the_scan(dynamics, roi):
    beads = protocol("Doxorubicin-eluting beads 75 mg 100-300 µm")
    best = min(SEEDS, key=lambda seed: dynamics.respond(roi, beads, seed).viable_fraction)
    post = dynamics.simulate(roi, beads, [best])[0]
    dead = ndimage.binary_erosion((dynamics.tissue(roi, beads, best) == Tissue.NECROSIS) & roi.lesion)
    grain = [(ct - ndimage.gaussian_filter(ct, 1.5))[dead].std() for ct in (roi.ct, post)]
    assert 0.8 < grain[1] / grain[0] < 1.2


def test_changes_fade_without_a_seam(dynamics, roi):
    change = np.abs(dynamics.simulate(roi, protocol(USUAL), [1])[0] - roi.ct) * roi.feather
    rim = (roi.feather > 0) & (roi.feather < 0.02)
    assert change[rim].max() < 5
    assert change[roi.lesion].max() > 100


def test_a_shrinking_lesion_draws_no_air_into_the_scan(phantom_case):
    roi = cut_roi(phantom_case)
    inside = np.ones_like(roi.inside)
    inside[:44] = False  # the scan ends within the lesion
    cut = dataclasses.replace(roi, inside=inside, lesion=roi.lesion & inside, ct=np.where(inside, roi.ct, -1000))
    beads = protocol("Doxorubicin-eluting beads 75 mg 100-300 µm")
    best = min(SEEDS, key=lambda seed: MechanisticDynamics().respond(cut, beads, seed).scale)
    assert MechanisticDynamics().respond(cut, beads, best).scale < 0.97
    post = MechanisticDynamics().simulate(cut, beads, [best])[0]
    assert (post[44][cut.lesion[44]] > -100).all()
    np.testing.assert_array_equal(post[:44], cut.ct[:44])


def test_a_drug_without_embolic_does_little(dynamics, roi):
    assert mean_coverage(dynamics, roi, "Lobaplatin 30 mg") == 0
    assert mean_viable(dynamics, roi, "Lobaplatin 30 mg") > mean_viable(dynamics, roi, USUAL) + 0.2


def test_more_oil_and_its_protection_raise_coverage(dynamics, roi):
    little = mean_coverage(dynamics, roi, "Lobaplatin 30 mg; Lipiodol 2 ml")
    enough = mean_coverage(dynamics, roi, "Lobaplatin 30 mg; Lipiodol 10 ml")
    guarded = mean_coverage(dynamics, roi, USUAL)
    assert little < enough < guarded


def test_a_stronger_or_second_drug_leaves_less_viable_tumour(dynamics, roi):
    embolics = "Lipiodol 10 ml; Gelatin Sponge 150-350 µm"
    weak = mean_viable(dynamics, roi, f"Hydroxycamptothecin 10 mg; {embolics}")
    strong = mean_viable(dynamics, roi, f"Lobaplatin 30 mg; {embolics}")
    two = mean_viable(dynamics, roi, f"Lobaplatin 30 mg; Epirubicin 50 mg; {embolics}")
    assert two <= strong < weak


def test_retained_oil_and_necrosis_go_together(dynamics, roi):
    # R² 0.96 over lesions in CVIR 2015, 10.1007/s00270-015-1129-9; the futures of one lesion vary less.
    responses = [dynamics.respond(roi, protocol(USUAL), seed) for seed in range(40)]
    coverage = np.array([response.coverage for response in responses])
    dead = np.array([1 - response.viable_fraction for response in responses])
    assert np.corrcoef(coverage, dead)[0, 1] > 0.65


def test_a_shunt_carries_the_oil_away(roi):
    usual = protocol("Lobaplatin 30 mg; Lipiodol 10 ml")
    closed, opened = (MechanisticDynamics(Sensitivities(shunt=shunt)) for shunt in (0.0, 1.0))
    coverage = [np.mean([d.respond(roi, usual, s).coverage for s in SEEDS]) for d in (closed, opened)]
    assert coverage[1] < coverage[0] - 0.05
    alcohol = protocol("Lobaplatin 30 mg; Lipiodol 10 ml; Absolute Alcohol 5 ml")
    sponge = protocol(USUAL)
    rescued = [opened.respond(roi, alcohol, s).spill for s in SEEDS]
    # Ethanol closes a severe shunt more often than gelatin sponge (WJG 2004 10:825): less oil beside the lesion.
    assert np.mean(rescued) < np.mean([opened.respond(roi, sponge, s).spill for s in SEEDS])


def test_every_agent_of_the_action_base_has_an_effect(dynamics, roi):
    for agent in load_action_base().agents.values():
        assert agent.id in (EMBOLICS if agent.kind == "embolic" else DRUGS), agent.id
        if agent.kind == "bead":
            assert agent.id in EMBOLICS
        usual = Protocol((load_action_base().usual(agent.id),))
        assert dynamics.simulate(roi, usual, [0]).shape == (1, 96, 96, 96)
        toxicity = protocol_toxicity(usual)
        assert toxicity.hepatic > 0


def test_an_unknown_agent_gets_a_sentence(dynamics, roi):
    with pytest.raises(InputError, match="Adasone"):
        dynamics.simulate(roi, protocol("Adasone 30 mg; Lipiodol 10 ml"), [0])


def test_more_drugs_cost_more(roi):
    one, two = protocol_toxicity(protocol(USUAL)), protocol_toxicity(protocol(f"Epirubicin 50 mg; {USUAL}"))
    assert two.systemic > one.systemic
    assert two.hepatic > one.hepatic


def test_the_phenotype_is_read_from_the_ct(roi):
    phenotype = read_phenotype(roi)
    # The phantom's lesion is a ball of 12 mm radius.
    assert phenotype.volume_ml == pytest.approx(4 / 3 * np.pi * 1.2**3, rel=0.1)
    assert phenotype.diameter_mm == pytest.approx(24, abs=2.5)
    assert 0.0 <= phenotype.necrotic_fraction <= 1.0
    assert estimate_sensitivities(phenotype, ClinicalFacts(arteriovenous_shunt="severe")).shunt == pytest.approx(1.0)
