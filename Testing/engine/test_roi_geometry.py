"""The model grid lies where the lesion lies, and a change comes back to the place it was made.

Whatever the orientation, obliquity, spacing and origin of the scan, and whatever grid the mask was drawn on.
"""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from mewm.case import make_case
from mewm.roi import FEATHER_END_MM, GRID, Roi, cut_roi, grid_image, paste_ct, paste_tissue
from mewm.roles import Tissue

few = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ORIENTATIONS = [
    "".join(axes) for order in itertools.permutations(("LR", "PA", "SI")) for axes in itertools.product(*order)
]


def direction_of(orientation: str) -> np.ndarray:
    cosines = sitk.DICOMOrientImageFilter.GetDirectionCosinesFromOrientation(orientation)
    return np.array(cosines).reshape(3, 3)


@st.composite
def grids(draw, extent=(52.0, 68.0), finest=0.9):
    """Size, spacing, direction and centre of a scan of 52 to 68 mm: any axis order and flips, any tilt."""
    spacing = [draw(st.floats(finest, 5.0)) for _ in range(3)]
    size = [max(8, round(draw(st.floats(*extent)) / s)) for s in spacing]
    tilt = [round(draw(st.just(0.0) | st.floats(-0.6, 0.6)), 4) for _ in range(3)]
    direction = Rotation.from_rotvec(tilt).as_matrix() @ direction_of(draw(st.sampled_from(ORIENTATIONS)))
    centre = [draw(st.floats(-300.0, 300.0)) for _ in range(3)]
    return {"size": size, "spacing": spacing, "direction": direction, "centre": centre}


offsets = st.tuples(*[st.floats(-8.0, 8.0)] * 3)


def index_at(roi: Roi, point) -> np.ndarray:
    """Continuous (z, y, x) index of an LPS point on the model grid."""
    return ((np.array(point) - np.array(roi.origin)) / roi.spacing)[::-1]


def centroid(image: sitk.Image, weight: np.ndarray, phantoms) -> np.ndarray:
    return np.tensordot(weight, phantoms.positions(image), 3) / weight.sum()


def sphere_on_grid(roi: Roi, point, radius: float) -> np.ndarray:
    index = np.indices([GRID] * 3)
    squared = sum((i - c) ** 2 for i, c in zip(index, index_at(roi, point), strict=True))
    return squared * roi.spacing**2 <= radius**2


def assert_same_header(found: sitk.Image, expected: sitk.Image) -> None:
    assert found.GetSize() == expected.GetSize()
    assert found.GetSpacing() == expected.GetSpacing()
    assert found.GetOrigin() == expected.GetOrigin()
    assert found.GetDirection() == expected.GetDirection()
    assert found.GetPixelID() == expected.GetPixelID()
    keys = found.GetMetaDataKeys()
    assert keys == expected.GetMetaDataKeys()
    assert [found.GetMetaData(k) for k in keys] == [expected.GetMetaData(k) for k in keys]


@few
@given(grid=grids(), offset=offsets)
@example(  # the grid falls halfway between slices
    grid={"size": [52, 52, 17], "spacing": [1.0, 1.0, 3.0], "direction": np.eye(3), "centre": [0.0, 0.0, 0.0]},
    offset=(0.0, 0.0, 0.0),
)
def test_lesion_lies_at_the_middle_with_its_volume(phantoms, grid, offset):
    at = np.array(grid["centre"]) + offset
    ct, lesion, liver = phantoms.make_phantom(**grid, lesion_centre=at, lesion_radius=11.0)
    roi = cut_roi(make_case(ct, lesion, liver_image=liver))
    drawn = sitk.GetArrayFromImage(lesion)
    expected = centroid(lesion, drawn, phantoms)
    found = np.array(roi.origin) + roi.spacing * np.argwhere(roi.lesion).mean(axis=0)[::-1]
    assert np.abs(found - expected).max() < 0.5
    middle = np.array(roi.origin) + roi.spacing * (GRID - 1) / 2
    assert np.abs(middle - at).max() <= max(grid["spacing"])
    volume = drawn.sum() * np.prod(grid["spacing"])
    assert roi.lesion.sum() * roi.spacing**3 == pytest.approx(volume, rel=0.02)
    assert roi.spacing == 1.0
    assert roi.lesion.dtype == roi.inside.dtype == roi.liver.dtype == bool
    assert roi.ct.dtype == roi.feather.dtype == np.float32
    assert (roi.liver | ~roi.lesion).all()


@few
@given(grid=grids(), axis=st.integers(0, 2), sign=st.sampled_from((-1.0, 1.0)))
def test_anatomy_keeps_its_side(phantoms, grid, axis, sign):
    """A dense ball to one side of the lesion is found on that side, whatever way the scan is stored."""
    step = np.zeros(3)
    step[axis] = 19.0 * sign
    ct, lesion, liver = phantoms.make_phantom(**grid, lesion_radius=9.0, noise=0.0)
    ball = sitk.GetArrayFromImage(phantoms.sphere(ct, np.array(grid["centre"]) + step, 7.0)) > 0
    array = sitk.GetArrayFromImage(ct)
    array[ball] = 1500
    roi = cut_roi(make_case(phantoms.like(array, ct), lesion, liver_image=liver))
    weight = np.clip(roi.ct - 700.0, 0, None)
    found = np.array(roi.origin) + roi.spacing * np.array(ndimage.center_of_mass(weight))[::-1]
    expected = centroid(ct, ball.astype(float), phantoms)
    assert np.abs(found - expected).max() < 0.6


@few
@given(grid=grids(), mask_grid=grids(extent=(40.0, 60.0), finest=0.8), offset=offsets)
def test_mask_on_another_grid(phantoms, grid, mask_grid, offset):
    at = np.array(grid["centre"]) + offset
    ct, _, liver = phantoms.make_phantom(**grid, lesion_centre=at, lesion_radius=13.0)
    own = phantoms.grid_image(**{**mask_grid, "centre": at})
    drawn = phantoms.sphere(own, at, 13.0)
    case = make_case(ct, drawn, liver_image=liver)
    assert any("another grid" in warning for warning in case.warnings) or own.GetSize() == ct.GetSize()
    assert case.lesion.GetSize() == ct.GetSize() and case.lesion.GetOrigin() == ct.GetOrigin()
    roi = cut_roi(case)
    found = np.array(roi.origin) + roi.spacing * np.argwhere(roi.lesion).mean(axis=0)[::-1]
    # Nearest neighbour moves a mask by up to half a voxel.
    assert np.abs(found - at).max() < 0.6 * max(*grid["spacing"], *mask_grid["spacing"])
    volume = sitk.GetArrayFromImage(drawn).sum() * np.prod(mask_grid["spacing"])
    assert roi.lesion.sum() * roi.spacing**3 == pytest.approx(volume, rel=0.25)


@few
@given(grid=grids())
def test_an_unchanged_simulation_changes_nothing(phantoms, grid):
    ct, lesion, liver = phantoms.make_phantom(**grid)
    case = make_case(ct, lesion, liver_image=liver)
    roi = cut_roi(case)
    back = paste_ct(case, roi, roi.ct)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(ct))
    assert_same_header(back, case.ct)


@few
@given(grid=grids(), seed=st.integers(0, 99), radius=st.floats(4.0, 11.0))
def test_outside_the_feather_nothing_changes(phantoms, grid, seed, radius):
    ct, lesion, liver = phantoms.make_phantom(**grid, lesion_radius=radius)
    case = make_case(ct, lesion, liver_image=liver)
    roi = cut_roi(case)
    post = np.random.default_rng(seed).normal(0.0, 900.0, roi.ct.shape).astype(np.float32)
    before, after = sitk.GetArrayFromImage(ct), sitk.GetArrayFromImage(paste_ct(case, roi, post))
    lesion_at = np.argwhere(roi.lesion)[:, ::-1] * roi.spacing + np.array(roi.origin)
    # A change sits on a voxel of the model grid and reaches the next one by interpolation.
    reach = FEATHER_END_MM + np.sqrt(3.0) * roi.spacing
    distance, _ = cKDTree(lesion_at).query(phantoms.positions(ct), distance_upper_bound=reach)
    np.testing.assert_array_equal(after[~np.isfinite(distance)], before[~np.isfinite(distance)])
    assert (after != before)[distance < 1.0].mean() > 0.9
    assert_same_header(paste_ct(case, roi, post), case.ct)


@few
@given(grid=grids(), offset=offsets, side=st.tuples(*[st.floats(-4.0, 4.0)] * 3))
def test_a_marker_comes_back_to_its_place(phantoms, grid, offset, side):
    at = np.array(grid["centre"]) + offset
    ct, lesion, liver = phantoms.make_phantom(**grid, lesion_centre=at, lesion_radius=11.0, pixel=sitk.sitkFloat32)
    case = make_case(ct, lesion, liver_image=liver)
    roi = cut_roi(case)
    marker = sphere_on_grid(roi, at + side, 5.0)
    post = roi.ct + 800.0 * marker.astype(np.float32)
    change = sitk.GetArrayFromImage(paste_ct(case, roi, post)) - sitk.GetArrayFromImage(ct)
    assert np.abs(centroid(ct, change, phantoms) - (at + side)).max() < 0.5
    # A voxel takes the mean of the change over its volume, so the whole change is kept.
    total = change.sum() * np.prod(grid["spacing"]) / 800.0
    assert total == pytest.approx(marker.sum() * roi.spacing**3, rel=0.1)


@few
@given(grid=grids(finest=1.2), orientation=st.sampled_from(ORIENTATIONS))
def test_reorienting_the_scan_changes_nothing(phantoms, grid, orientation):
    ct, lesion, liver = phantoms.make_phantom(**grid)
    case = make_case(ct, lesion, liver_image=liver)
    turned = [sitk.DICOMOrient(image, orientation) for image in (ct, lesion, liver)]
    other = make_case(turned[0], turned[1], liver_image=turned[2])
    roi, roi_other = cut_roi(case), cut_roi(other)
    np.testing.assert_allclose(roi_other.origin, roi.origin, atol=1e-6)
    assert roi_other.spacing == pytest.approx(roi.spacing)
    np.testing.assert_allclose(roi_other.ct, roi.ct, atol=0.1)
    assert (roi_other.lesion != roi.lesion).mean() < 1e-4
    post = np.where(roi.lesion, 400.0, roi.ct)
    pasted = sitk.DICOMOrient(paste_ct(case, roi, post), orientation)
    pasted_other = paste_ct(other, roi, post)
    difference = sitk.GetArrayFromImage(pasted).astype(int) - sitk.GetArrayFromImage(pasted_other)
    assert np.abs(difference).max() <= 1


@few
@given(grid=grids())
def test_tissue_labels_come_back_onto_the_scan(phantoms, grid):
    ct, lesion, liver = phantoms.make_phantom(**grid, lesion_radius=12.0)
    case = make_case(ct, lesion, liver_image=liver)
    roi = cut_roi(case)
    tissue = np.where(roi.lesion, Tissue.VIABLE, np.where(roi.liver, Tissue.LIVER, 0)).astype(np.uint8)
    labels = sitk.GetArrayFromImage(paste_tissue(case, roi, tissue))
    drawn = sitk.GetArrayFromImage(lesion) > 0
    found = labels == Tissue.VIABLE
    assert 2 * (found & drawn).sum() / (found.sum() + drawn.sum()) > 0.9
    np.testing.assert_array_equal(labels > 0, (sitk.GetArrayFromImage(liver) > 0) | found)
    assert set(np.unique(labels)) <= {0, 1, 2}
    without = make_case(ct, lesion)
    assert set(np.unique(sitk.GetArrayFromImage(paste_tissue(without, roi, tissue)))) == {0, 2}


@pytest.mark.parametrize(
    "pixel",
    [sitk.sitkInt16, sitk.sitkInt32, sitk.sitkInt64, sitk.sitkFloat32, sitk.sitkFloat64],
)
def test_pixel_type_is_kept_and_clipped(phantoms, pixel):
    ct, lesion, liver = phantoms.make_phantom(36, (2.0, 2.0, 2.0), pixel=pixel)
    case = make_case(ct, lesion, liver_image=liver)
    roi = cut_roi(case)
    after = paste_ct(case, roi, roi.ct + 1e5 * roi.lesion)
    assert_same_header(after, case.ct)
    highest = sitk.GetArrayFromImage(after).max()
    assert highest == 32767 if pixel == sitk.sitkInt16 else highest > 9e4
    np.testing.assert_array_equal(sitk.GetArrayFromImage(paste_ct(case, roi, roi.ct)), sitk.GetArrayFromImage(ct))


@pytest.mark.parametrize("radius", [0.2, 40.0, 60.0, 75.0])
def test_small_and_large_lesions_fit_with_their_feather(phantoms, radius):
    spacing = (2.0, 2.0, 5.0)
    ct, _, _ = phantoms.make_phantom((90, 90, 36), spacing, lesion_radius=radius)
    if radius < 1:  # one thin voxel
        array = np.zeros((36, 90, 90), np.uint8)
        array[18, 45, 45] = 1
        lesion = phantoms.like(array, ct)
    else:
        lesion = phantoms.sphere(ct, (0, 0, 0), radius)
    roi = cut_roi(make_case(ct, lesion))
    drawn = sitk.GetArrayFromImage(lesion).sum() * np.prod(spacing)
    assert roi.lesion.sum() * roi.spacing**3 == pytest.approx(drawn, rel=0.25 if radius < 1 else 0.01)
    assert roi.lesion.any() and 1.0 <= roi.spacing <= 2.0
    for axis in range(3):
        rim = np.moveaxis(roi.feather, axis, 0)[[0, -1]]
        assert (rim == 0).all()
    assert (roi.feather[roi.lesion] == 1).all()
    near = ndimage.distance_transform_edt(~roi.lesion, sampling=roi.spacing)
    assert (roi.feather[near <= 6.0] == 1).all() and (roi.feather[near >= 12.0] == 0).all()


def test_a_lesion_at_the_edge_of_the_scan(phantoms):
    """Where the scan ends the model grid is air and says so; the change still comes back inside."""
    ct, _, _ = phantoms.make_phantom(40, (2.0, 2.0, 2.0), noise=0.0)
    lesion = phantoms.sphere(ct, (0, 0, 36.0), 10.0)
    case = make_case(ct, lesion)
    roi = cut_roi(case)
    z = roi.origin[2] + roi.spacing * np.arange(GRID)
    np.testing.assert_array_equal(roi.inside[:, GRID // 2, GRID // 2], z < 40.0)
    assert (roi.ct[~roi.inside] == -1000).all()
    assert not roi.liver[~roi.inside & ~roi.lesion].any()
    after = sitk.GetArrayFromImage(paste_ct(case, roi, roi.ct + 100))
    before = sitk.GetArrayFromImage(ct)
    assert (after - before)[sitk.GetArrayFromImage(lesion) > 0].min() == 100


def test_fine_scans_are_smoothed_before_sampling(phantoms):
    """Noise of a 0.5 mm scan does not alias onto the 1 mm grid at full strength."""
    ct, lesion, _ = phantoms.make_phantom((112, 112, 112), (0.5, 0.5, 0.5), noise=40.0, lesion_radius=8.0)
    roi = cut_roi(make_case(ct, lesion))
    far = roi.liver & ~ndimage.binary_dilation(roi.lesion, iterations=3)
    noise = float(np.std(roi.ct[ndimage.binary_erosion(far, iterations=3)]))
    assert 4.0 < noise < 20.0


def test_thick_slices_take_the_mean_of_the_change(phantoms):
    """A thin bright plate between the slices of a 5 mm scan is not lost and not doubled."""
    ct, lesion, _ = phantoms.make_phantom((40, 40, 16), (2.0, 2.0, 5.0), noise=0.0, pixel=sitk.sitkFloat32)
    case = make_case(ct, lesion)
    roi = cut_roi(case)
    plate = np.zeros_like(roi.ct)
    plate[GRID // 2, 40:56, 40:56] = 500.0
    change = sitk.GetArrayFromImage(paste_ct(case, roi, roi.ct + plate)) - sitk.GetArrayFromImage(ct)
    assert change.sum() * 20.0 == pytest.approx(plate.sum() * roi.spacing**3, rel=0.1)
    assert 70 < change.max() < 140


def test_a_grid_image_lies_where_the_roi_lies(phantom_case):
    roi = cut_roi(phantom_case)
    image = grid_image(roi, roi.lesion)
    assert image.GetPixelID() == sitk.sitkUInt8
    point = image.TransformIndexToPhysicalPoint((10, 20, 30))
    assert point == pytest.approx(np.array(roi.origin) + roi.spacing * np.array([10, 20, 30]))


def test_the_estimated_liver_is_the_liver(phantoms):
    ct, lesion, liver = phantoms.make_phantom(72, (2.0, 2.0, 2.0), lesion_centre=(6.0, -10.0, 4.0))
    given, guess = cut_roi(make_case(ct, lesion, liver_image=liver)), cut_roi(make_case(ct, lesion))
    overlap = 2 * (given.liver & guess.liver).sum() / (given.liver.sum() + guess.liver.sum())
    assert overlap > 0.95


def test_images_given_are_not_modified(phantoms):
    ct, lesion, liver = phantoms.make_phantom(36, (2.0, 2.0, 2.0))
    ct.SetMetaData("0010|0010", "Doe^Jane")
    hashes = [sitk.Hash(image) for image in (ct, lesion, liver)]
    case = make_case(ct, lesion, liver_image=liver)
    roi = cut_roi(case)
    paste_ct(case, roi, roi.ct + 100)
    paste_tissue(case, roi, np.full(roi.ct.shape, 2, np.uint8))
    assert [sitk.Hash(image) for image in (ct, lesion, liver)] == hashes
    assert [sitk.Hash(image) for image in (case.ct, case.liver)] == [hashes[0], sitk.Hash(case.liver)]
    assert ct.GetMetaData("0010|0010") == "Doe^Jane"
    assert "0010|0010" not in case.ct.GetMetaDataKeys()
