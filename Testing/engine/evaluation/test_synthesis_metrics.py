"""FID, the LPIPS-like distance and the filter bank."""

import numpy as np
import pytest
from scipy import linalg, ndimage

from mewm.errors import InputError
from mewm.evaluation.feature_networks import FilterBank, lesion_slices, windowed
from mewm.evaluation.synthesis_metrics import (
    SliceStack,
    fid,
    frechet_distance,
    perceptual_distance,
    slice_stack,
)


def texture(n, sigma, seed, size=48):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.standard_normal((n, size, size)), (0, sigma, sigma))
    return np.clip(0.5 + 0.15 * noise / noise.std(), 0, 1).astype(np.float32)


def test_frechet_distance_of_one_dimension_by_hand():
    # Sample variances (n − 1): {0, 2} → mean 1, variance 2; {3, 9} → mean 6, variance 18.
    # (1 − 6)² + 2 + 18 − 2 √36 = 33.
    assert frechet_distance(np.array([[0.0], [2]]), np.array([[3.0], [9]])) == pytest.approx(33)


def test_frechet_distance_is_the_textbook_formula():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)), rng.normal(1, 2, (150, 6))
    ca, cb = np.cov(a.T), np.cov(b.T)
    gap = a.mean(0) - b.mean(0)
    naive = gap @ gap + np.trace(ca + cb - 2 * np.real(linalg.sqrtm(ca @ cb)))
    assert frechet_distance(a, b) == pytest.approx(naive, rel=1e-8)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b))


def test_frechet_distance_bears_fewer_slices_than_features():
    a, b = np.random.default_rng(0).normal(size=(2, 5, 40))
    assert np.isfinite(frechet_distance(a, b)) and frechet_distance(a, b) > 0


def test_filter_bank_names_itself_and_is_deterministic():
    bank, slices = FilterBank(), texture(3, 2, 0)
    assert "not Inception" in bank.name
    assert bank.features(slices).shape == (3, 4 * 16)
    assert np.array_equal(bank.features(slices), FilterBank().features(slices))
    # More slices than one batch, in any batch: a slice's features are its own.
    many = texture(40, 2, 1)
    assert bank.features(many)[37] == pytest.approx(bank.features(many[37:38])[0])


def test_filter_bank_of_a_ramp_by_hand():
    # A ramp of slope 0.01 along x: the Gaussian derivative along x is 0.01 times sigma, along y 0, second ones 0 (up to
    # the cut-off of the kernel at 4 sigma).
    ramp = np.tile(np.arange(96, dtype=np.float32) * 0.01, (1, 96, 1))
    maps = FilterBank((2.0,))._maps(ramp)[0][0]
    middle = maps[:, 30:60, 30:60].mean(axis=(1, 2))
    assert middle[1] == pytest.approx(0.02, rel=1e-3)  # along x
    assert middle[3] == pytest.approx(0.0, abs=1e-4)  # along y
    assert middle[2] == pytest.approx(0.02 / np.sqrt(2), rel=1e-3)  # between
    assert np.abs(middle[5:]).max() < 1e-3


def test_perceptual_distance_behaves_like_one():
    bank, fine, coarse = FilterBank(), texture(4, 1, 0), texture(4, 4, 1)
    assert bank.distance(fine, fine) == pytest.approx(np.zeros(4), abs=1e-6)
    assert bank.distance(fine, coarse) == pytest.approx(bank.distance(coarse, fine), rel=1e-5)
    slightly, strongly = (
        fine + s * np.random.default_rng(3).standard_normal(fine.shape).astype(np.float32) for s in (0.02, 0.2)
    )
    assert np.all(bank.distance(fine, slightly) < bank.distance(fine, strongly))


def test_perceptual_distance_of_flat_slices_by_hand():
    # Only the intensity channel differs from 0: v / (v + 0.02) a scale; 0.5 against 0.25, four scales.
    a, b = np.full((1, 32, 32), 0.5, np.float32), np.full((1, 32, 32), 0.25, np.float32)
    by_hand = 4 * (0.5 / 0.52 - 0.25 / 0.27) ** 2
    assert FilterBank().distance(a, b)[0] == pytest.approx(by_hand, rel=1e-4)


def test_fid_tells_textures_apart_and_carries_the_network():
    stacks = [SliceStack(texture(24, s, seed).reshape(8, 3, 48, 48)) for s, seed in ((1, 0), (1, 1), (4, 2))]
    same = fid(stacks[0], stacks[1], FilterBank(), resamples=5)
    other = fid(stacks[0], stacks[2], FilterBank(), resamples=5)
    assert same.estimate.value < 0.2 * other.estimate.value
    assert same.network == FilterBank.name
    near = perceptual_distance(stacks[0], stacks[0], FilterBank(), resamples=5)
    assert near.estimate.value == pytest.approx(0, abs=1e-6) and near.estimate.cases == 8


def test_window_and_slices_by_hand():
    assert windowed(np.array([-1000.0, -175, 212.5, 600, 3000])) == pytest.approx([0, 0, 0.5, 1, 1])
    lesion = np.zeros((20, 4, 4), bool)
    lesion[5:15, 1:3, 1:3] = True
    # Ten slices in five equal parts, the middle of each: 5 + floor(1, 3, 5, 7, 9).
    assert lesion_slices(lesion).tolist() == [6, 8, 10, 12, 14]
    lesion[6:] = False
    assert lesion_slices(lesion).tolist() == [5] * 5
    ct = np.arange(20, dtype=np.float32)[:, None, None] * np.ones((20, 4, 4), np.float32)
    assert slice_stack([(ct, lesion)]).slices.shape == (1, 5, 4, 4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: frechet_distance(np.zeros((1, 3)), np.zeros((5, 3))), "at least 2"),
        (lambda: frechet_distance(np.zeros((5, 4)), np.zeros((5, 3))), "4 and 3"),
        (lambda: FilterBank().features(np.zeros((4, 4))), "shape"),
        (lambda: FilterBank().distance(np.zeros((1, 4, 4)), np.zeros((2, 4, 4))), "shapes"),
        (lambda: lesion_slices(np.zeros((3, 3, 3), bool)), "empty"),
        (lambda: slice_stack([]), "no volume"),
    ],
)
def test_wrong_input_is_told(call, words):
    with pytest.raises(InputError, match=words):
        call()
