"""Numbers of a segmented future, on shapes whose answers are known."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mewm.diameter import longest_axial_diameter
from mewm.errors import InputError
from mewm.measure import measure, response_category, response_of_targets
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


@pytest.mark.parametrize(
    ("targets", "category"),
    [
        # Sums of 100 mm before: the single lesions say otherwise than their sum.
        ([(80, 48), (20, 22)], "PR"),
        ([(80, 52), (20, 20)], "SD"),
        ([(50, 0), (50, 71)], "SD"),
        ([(50, 0), (50, 70)], "PR"),
        ([(80, 95), (20, 25)], "PD"),
        ([(80, 0), (20, 0)], "CR"),
        ([(80, 0), (20, 1)], "PR"),
    ],
)
def test_two_targets_are_judged_by_the_sum_of_their_diameters(targets, category):
    assert response_of_targets(targets) == response_of_targets(targets[::-1]) == category
    assert response_of_targets(targets, new_lesion=True) == "PD"


@pytest.mark.parametrize("targets", [[], [(10, 10)] * 3, [(10, -1)], [(float("nan"), 5)]])
def test_targets_that_cannot_be_judged_are_told(targets):
    with pytest.raises(InputError):
        response_of_targets(targets)


def balls(roi, *parts):
    """Tissue labels of balls around the grid's middle, the later inside the earlier."""
    z, y, x = np.ogrid[: roi.ct.shape[0], : roi.ct.shape[1], : roi.ct.shape[2]]
    middle = (np.array(roi.ct.shape) - 1) / 2
    distance = np.sqrt((z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2) * roi.spacing
    tissue = np.full(roi.ct.shape, Tissue.LIVER, np.uint8)
    for radius, label in parts:
        tissue[distance <= radius] = label
    return tissue, distance


def test_a_shell_of_viable_tumour_has_the_volumes_and_the_diameter_of_its_balls(roi):
    tissue, distance = balls(roi, (20, Tissue.VIABLE), (12, Tissue.NECROSIS), (6, Tissue.LIPIODOL))
    whole = dataclasses.replace(roi, lesion=distance <= 25)
    m = measure(whole, tissue)
    ml = [4 / 3 * np.pi * radius**3 / 1000 for radius in (25, 20, 12, 6)]
    assert m.baseline_ml == pytest.approx(ml[0], rel=0.02) and m.lesion_ml == pytest.approx(ml[1], rel=0.02)
    assert m.viable_ml == pytest.approx(ml[1] - ml[2], rel=0.02)
    assert m.necrosis_ml == pytest.approx(ml[2] - ml[3], rel=0.03) and m.lipiodol_ml == pytest.approx(ml[3], rel=0.05)
    assert m.volume_change_percent == pytest.approx(100 * (0.8**3 - 1), abs=2)
    assert m.lipiodol_coverage == pytest.approx((6 / 25) ** 3, rel=0.06)
    # A closed rim is one part and is measured across, although the line passes what it encloses.
    assert m.longest_viable_mm == pytest.approx(40, abs=1.5 * roi.spacing)


def test_a_crescent_is_measured_along_its_longest_straight_line(roi):
    tissue, distance = balls(roi, (20, Tissue.VIABLE))
    # Everything behind the middle has died: half a ball keeps the diameter of the ball, a quarter its own chord.
    half = tissue.copy()
    half[(distance <= 20) & (np.indices(half.shape)[1] > 47)] = Tissue.NECROSIS
    whole = dataclasses.replace(roi, lesion=distance <= 20)
    assert measure(whole, half).longest_viable_mm == pytest.approx(40, abs=1.5 * roi.spacing)
    quarter = half.copy()
    quarter[(distance <= 20) & (np.indices(half.shape)[2] > 47)] = Tissue.NECROSIS
    assert measure(whole, quarter).longest_viable_mm == pytest.approx(20 * np.sqrt(2), abs=1.5 * roi.spacing)


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
