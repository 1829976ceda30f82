"""The phenotype is read from the CT with known error on lesions whose truth is known."""

import numpy as np
import pytest
from lesion_phantoms import phantom_roi

from mewm.clinical import ClinicalFacts
from mewm.dynamics.phenotype import read_phenotype, smooth_within
from mewm.dynamics.space import lesion_space, signed_distance


@pytest.fixture(scope="module")
def ball():
    return phantom_roi(1, diameter=40, enhancement=40, core=0.5, irregularity=0, noise=12, size=84)


def test_size_and_attenuation_of_a_ball(ball):
    phenotype = read_phenotype(ball)
    assert phenotype.volume_ml == pytest.approx(4 / 3 * np.pi * 20**3 / 1000, rel=0.02)
    assert phenotype.diameter_mm == pytest.approx(40, abs=2)
    assert phenotype.liver_hu == pytest.approx(105, abs=2)
    assert phenotype.enhancing_hu == pytest.approx(145, abs=5)
    assert phenotype.noise_hu == pytest.approx(12, rel=0.15)
    assert phenotype.necrotic_fraction == pytest.approx(0.5**3, abs=0.03)
    assert phenotype.irregularity < 0.08
    assert phenotype.viable_threshold_hu == pytest.approx((32 + 145) / 2, abs=4)


def test_enhancement_is_relative_to_the_liver():
    levels = [read_phenotype(phantom_roi(2, enhancement=e, core=0, diameter=30, size=56)) for e in (-35, 0, 60)]
    relative = [p.relative_enhancement for p in levels]
    assert relative == sorted(relative)
    assert relative[1] == pytest.approx(1, abs=0.1)
    assert levels[0].perfusion_scale < levels[2].perfusion_scale


def test_a_ragged_lesion_is_more_irregular_than_a_ball(ball):
    ragged = phantom_roi(3, irregularity=0.25, size=64)
    assert read_phenotype(ragged).irregularity > read_phenotype(ball).irregularity + 0.1


def test_unenhanced_scan_keeps_necrosis_below_tumour():
    phenotype = read_phenotype(phantom_roi(4, liver_hu=50, enhancement=-10, core=0, diameter=30, size=56))
    assert phenotype.necrosis_hu <= phenotype.enhancing_hu - 20


@pytest.mark.parametrize(("grade", "shunt"), [(None, 0.0), ("none", 0.0), ("mild", 0.5), ("severe", 1.0)])
def test_shunt_comes_from_the_clinical_facts(grade, shunt):
    roi = phantom_roi(5, size=48, diameter=20, facts=ClinicalFacts(arteriovenous_shunt=grade))
    assert read_phenotype(roi).shunt == shunt


@pytest.mark.parametrize("voxels", [1, 5, 30])
def test_tiny_lesions_have_finite_phenotypes(voxels):
    roi = phantom_roi(6, size=48, diameter=20)
    lesion = np.zeros_like(roi.lesion)
    lesion[24, 24, 24 : 24 + min(voxels, 20)] = True
    tiny = type(roi)(**{**roi.__dict__, "lesion": lesion})
    assert all(np.isfinite(v) for v in vars(read_phenotype(tiny)).values())


def test_perfusion_is_high_in_tumour_and_nothing_in_its_core(ball):
    space = lesion_space(ball)
    assert space.perfusion.min() >= 0
    assert space.perfusion.max() <= 1.5
    assert not space.perfusion[~space.lesion].any()
    core = space.distance < -15
    tumour = (space.distance < -2) & (space.distance > -7)
    assert space.perfusion[core].mean() < 0.15 * space.perfusion[tumour].mean()


def test_smoothing_ignores_what_lies_outside_the_mask():
    ct = np.full((20, 20, 20), 50.0, np.float32)
    mask = np.zeros(ct.shape, bool)
    mask[5:15, 5:15, 5:15] = True
    ct[~mask] = 250
    assert smooth_within(ct, mask, 1.0)[mask] == pytest.approx(50, abs=0.01)


def test_signed_distance_has_its_zero_between_voxels():
    mask = np.zeros((9, 9, 9), bool)
    mask[3:6, 3:6, 3:6] = True
    distance = signed_distance(mask, 2.0)
    assert distance[4, 4, 5] == pytest.approx(-1.0)
    assert distance[4, 4, 6] == pytest.approx(1.0)
