"""The geometry on every real CT at hand: a change stays within the feather and the header stays the input's."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial import cKDTree

from mewm.case import Case, make_case, read_case
from mewm.image_io import read_image
from mewm.roi import FEATHER_END_MM, cut_roi, paste_ct

# The file states neither; see the data's README and the anatomy (x runs to superior, y to posterior, z to left).
LITS_GEOMETRY = {"spacing": (1.40625, 1.40625, 1.40625), "orientation": "SPL"}


def with_ball(ct: sitk.Image, centre, radius: float, phantoms) -> Case:
    """A case whose lesion is a ball, for scans without a marked tumour."""
    return make_case(ct, phantoms.sphere(ct, centre, radius))


def real_case(name: str, request, phantoms) -> tuple[Case, sitk.Image]:
    """The case and its CT as the file holds it."""
    if name.startswith("lits117"):
        ct, labels = request.getfixturevalue("lits117")
        component = int(name[-1])
        case = read_case(ct, labels, lesion_label=2, liver_label=1, component=component, **LITS_GEOMETRY)
        return case, read_image(ct, **LITS_GEOMETRY)
    data = request.getfixturevalue("real_data")
    if name.startswith("crlm_1006"):
        path = data / "crlm_ct_1006" / "ct.nii.gz"
        lesions = data / "crlm_ct_1006" / "lesions_semiauto.nii.gz"
        return read_case(path, lesions, lesion_label=int(name[-1])), sitk.ReadImage(str(path))
    if name == "crlm_1004":
        path = data / "crlm_ct_1004" / "ct.nii.gz"
        ct = read_image(path)
        return with_ball(ct, (-90.0, -20.0, -240.0), 15.0, phantoms), sitk.ReadImage(str(path))
    small = name.endswith("small")
    path = data / "totalsegmentator_example" / ("example_ct_sm.nii.gz" if small else "example_ct.nii.gz")
    labels = "example_seg.nii.gz" if small else "example_seg_fast_force_split.nii.gz"
    ct, organs = read_image(path), read_image(path.with_name(labels), name="labels")
    liver = sitk.GetArrayFromImage(organs) == 5
    # Deep in the liver: the voxel farthest from its surface.
    depth = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(phantoms.like(liver.astype(np.uint8), ct), useImageSpacing=True)
    )
    z, y, x = np.unravel_index(np.argmin(depth), depth.shape)
    centre = ct.TransformIndexToPhysicalPoint((int(x), int(y), int(z)))
    return with_ball(ct, centre, 12.0, phantoms), sitk.ReadImage(str(path))


NAMES = [
    *[f"crlm_1006_{label}" for label in (1, 4)],
    "crlm_1004",
    "totalsegmentator",
    "totalsegmentator_small",
    *[f"lits117_{component}" for component in (1, 4)],
]


@pytest.mark.parametrize("name", NAMES)
def test_outside_the_feather_every_voxel_is_the_inputs(name, request, phantoms, tmp_path):
    case, original = real_case(name, request, phantoms)
    roi = cut_roi(case)
    post = np.where(roi.feather > 0, 700.0, roi.ct)
    after = paste_ct(case, roi, post)
    before_array, after_array = sitk.GetArrayFromImage(original), sitk.GetArrayFromImage(after)
    # The neighbourhood of the lesion, measured on the scan and not by the code under test.
    lesion_at = np.argwhere(roi.lesion)[:, ::-1] * roi.spacing + np.array(roi.origin)
    reach = FEATHER_END_MM + np.sqrt(3.0) * roi.spacing
    changed = np.argwhere(after_array != before_array)
    matrix = np.array(original.GetDirection()).reshape(3, 3) * np.array(original.GetSpacing())
    world = changed[:, ::-1] @ matrix.T + np.array(original.GetOrigin())
    distance, _ = cKDTree(lesion_at).query(world)
    assert changed.size and distance.max() <= reach
    lesion = sitk.GetArrayFromImage(case.lesion) > 0
    assert (after_array != before_array)[lesion].mean() > 0.98
    identity = sitk.GetArrayFromImage(paste_ct(case, roi, roi.ct))
    assert identity.tobytes() == before_array.tobytes()

    assert after.GetPixelID() == original.GetPixelID() and after.GetSize() == original.GetSize()
    for get in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(after, get)() == getattr(original, get)()
    headers = []
    for image in (original, after):
        sitk.WriteImage(image, str(tmp_path / "written.nii"))
        headers.append((tmp_path / "written.nii").read_bytes()[:352])
    assert headers[0] == headers[1]
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "written.nii"))), after_array)


def test_the_sample_case_lies_as_a_patient_does(request, phantoms):
    """LiTS 117 as named above: the vertebral column is posterior to and left of the liver, the lung superior."""
    case, _ = real_case("lits117_1", request, phantoms)
    place = phantoms.positions(case.ct)
    mask = sitk.GetArrayFromImage(case.liver) > 0
    ct = sitk.GetArrayFromImage(case.ct)
    middle = place[mask].mean(axis=0)
    bone, lung = place[ct > 350].mean(axis=0), place[(ct < -700) & (ct > -950)].mean(axis=0)
    assert bone[0] > middle[0] and bone[1] > middle[1]
    assert lung[2] > middle[2]
    assert mask.sum() * 1.40625**3 / 1e6 == pytest.approx(1.7, abs=0.2)


def test_the_estimated_liver_agrees_with_the_drawn_one(request, phantoms):
    case, _ = real_case("lits117_4", request, phantoms)
    given = cut_roi(case)
    guess = cut_roi(Case(case.ct, case.lesion))
    near = given.feather > 0
    overlap = 2 * (given.liver & guess.liver & near).sum() / ((given.liver & near).sum() + (guess.liver & near).sum())
    assert overlap > 0.9
