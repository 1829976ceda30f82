"""Numbers of a segmented future, on shapes whose answers are known."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mewm.diameter import longest_axial_diameter
from mewm.measure import measure, response_category
from mewm.roi import cut_roi
from mewm.roles import Tissue


@pytest.fixture(scope="module")
def roi(phantom_case):
    return cut_roi(phantom_case)


def box(shape, *edges):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in edges)] = True
    return mask


def test_a_box_is_measured_from_corner_to_corner():
    # 30 by 40 voxels in the axial plane: 3-4-5 triangle, 50 voxels of 1.2 mm; its height does not count.
    assert longest_axial_diameter(box((60, 60, 60), (5, 55), (10, 40), (10, 50)), 1.2) == pytest.approx(60.0)


def test_a_ball_has_its_diameter():
    z, y, x = np.ogrid[:61, :61, :61]
    ball = (z - 30) ** 2 + (y - 30) ** 2 + (x - 30) ** 2 <= 20**2
    assert longest_axial_diameter(ball, 1.0) == pytest.approx(41, abs=1.5)


def test_a_column_along_the_body_has_only_the_diagonal_of_one_voxel():
    assert longest_axial_diameter(box((50, 9, 9), (0, 50), (4, 5), (4, 5)), 2.0) == pytest.approx(2 * np.sqrt(2))


def test_separate_rests_are_not_measured_across_the_necrosis_between_them():
    two = box((10, 60, 60), (5, 6), (10, 20), (10, 11)) | box((10, 60, 60), (5, 6), (10, 40), (50, 51))
    assert longest_axial_diameter(two, 1.0) == pytest.approx(np.hypot(30, 1))


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.9))
@settings(max_examples=40, deadline=None)
def test_the_diameter_is_that_of_all_pairs_of_corners(seed, share):
    mask = np.random.default_rng(seed).random((2, 9, 9)) < share
    longest = 0.0
    for axial in mask:
        parts, count = ndimage.label(axial, np.ones((3, 3)))
        for part in range(1, count + 1):
            corners = np.concatenate([np.argwhere(parts == part) + c for c in ((0, 0), (0, 1), (1, 0), (1, 1))])
            longest = max(longest, np.linalg.norm(corners[:, None] - corners, axis=-1).max())
    assert longest_axial_diameter(mask, 1.5) == pytest.approx(1.5 * longest)


def test_an_empty_mask_has_no_diameter():
    assert longest_axial_diameter(np.zeros((4, 4, 4), bool), 1.0) == 0.0


@pytest.mark.parametrize(
    ("viable_mm", "category"),
    [(0, "CR"), (1, "PR"), (70, "PR"), (70.5, "SD"), (100, "SD"), (119.5, "SD"), (120, "PD"), (150, "PD")],
)
def test_response_follows_mrecist(viable_mm, category):
    # Partial response: at least 30 % less; progression: at least 20 % more (Lencioni & Llovet 2010).
    assert response_category(viable_mm, 100.0) == category


def test_volumes_and_shares_add_up(roi):
    tissue = np.where(roi.liver, np.uint8(Tissue.LIVER), np.uint8(0))
    inside = np.flatnonzero(roi.lesion.ravel())
    half, tenth = len(inside) // 2, len(inside) // 10
    flat = tissue.ravel()
    flat[inside] = Tissue.NECROSIS
    flat[inside[:half]] = Tissue.LIPIODOL
    flat[inside[half : half + tenth]] = Tissue.VIABLE
    m = measure(roi, flat.reshape(tissue.shape))
    ml = len(inside) * roi.spacing**3 / 1000
    assert m.baseline_ml == pytest.approx(ml)
    assert m.viable_ml + m.necrosis_ml + m.lipiodol_ml == pytest.approx(m.lesion_ml) == pytest.approx(ml)
    assert m.viable_fraction == pytest.approx(tenth / len(inside))
    assert m.lipiodol_coverage == pytest.approx(half / len(inside))
    assert m.volume_change_percent == pytest.approx(0)


def test_a_lesion_without_viable_tumour_is_a_complete_response(roi):
    tissue = np.where(roi.lesion, np.uint8(Tissue.LIPIODOL), np.uint8(0))
    m = measure(roi, tissue)
    assert (m.response, m.viable_fraction, m.longest_viable_mm) == ("CR", 0.0, 0.0)


def test_a_lesion_that_vanished_gives_no_division_by_zero(roi):
    m = measure(roi, np.zeros(roi.ct.shape, np.uint8))
    assert m.volume_change_percent == pytest.approx(-100)
    assert all(np.isfinite(v) for v in dataclasses.asdict(m).values() if isinstance(v, float))
