"""A case: which lesion is the target, which liver it lies in, and what the user is told."""

import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk

from mewm.case import make_case, read_case
from mewm.errors import InputError

SIZE, SPACING = 48, (2.0, 2.0, 2.0)
VOXEL_MM3 = 8.0


@pytest.fixture(scope="module")
def images(phantoms):
    return phantoms.make_phantom(SIZE, SPACING, lesion_radius=9.0)


def voxels(image: sitk.Image) -> int:
    return int(sitk.GetArrayViewFromImage(image).sum())


def spheres(phantoms, ct, *balls) -> sitk.Image:
    """A mask with several balls, each a centre and a radius in mm."""
    masks = [sitk.GetArrayFromImage(phantoms.sphere(ct, centre, radius)) for centre, radius in balls]
    return phantoms.like(np.max(masks, axis=0), ct)


def test_a_case_is_frozen_and_complete(images):
    ct, lesion, liver = images
    case = make_case(ct, lesion, liver_image=liver, facts={"child_pugh": "B7"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        case.ct = lesion
    assert case.warnings == ()
    assert case.facts.child_pugh == "B7"
    assert case.lesion.GetPixelID() == case.liver.GetPixelID() == sitk.sitkUInt8
    assert case.ct.GetPixelID() == ct.GetPixelID()


def test_the_largest_lesion_is_the_target_and_the_others_are_named(phantoms, images):
    ct, _, liver = images
    mask = spheres(phantoms, ct, ((-14, 0, 0), 8.0), ((10, 0, 0), 9.0), ((0, 18, 4), 5.0), ((1, -19, 1), 0.5))
    case = make_case(ct, mask, liver_image=liver)
    expected = phantoms.sphere(ct, (10, 0, 0), 9.0)
    assert sitk.Hash(case.lesion) == sitk.Hash(expected)
    (warning,) = case.warnings
    second, third = (voxels(phantoms.sphere(ct, *b)) * VOXEL_MM3 / 1000 for b in (((-14, 0, 0), 8), ((0, 18, 4), 5)))
    assert "4 separate parts" in warning
    assert f"{second:.2f} ml, {third:.2f} ml" in warning
    assert "1 below 30 mm³" in warning


@pytest.mark.parametrize(("component", "centre", "radius"), [(1, (10, 0, 0), 9.0), (2, (-14, 0, 0), 8.0)])
def test_a_chosen_component_is_the_target(phantoms, images, component, centre, radius):
    ct, _, liver = images
    mask = spheres(phantoms, ct, ((-14, 0, 0), 8.0), ((10, 0, 0), 9.0))
    case = make_case(ct, mask, liver_image=liver, component=component)
    assert sitk.Hash(case.lesion) == sitk.Hash(phantoms.sphere(ct, centre, radius))
    assert case.warnings == ()
    assert (sitk.GetArrayFromImage(case.liver) >= sitk.GetArrayFromImage(mask)).all()


def test_a_tiny_target_is_doubted(phantoms, images):
    ct, _, liver = images
    case = make_case(ct, spheres(phantoms, ct, ((1, 1, 1), 0.5)), liver_image=liver)
    assert any("only 8 mm³" in warning for warning in case.warnings)


def test_one_label_map_for_lesion_and_liver(images):
    """As in LiTS: 1 is the liver without its tumours, 2 the tumours."""
    ct, lesion, liver = images
    labels = sitk.Cast(liver + lesion, sitk.sitkInt16)
    case = make_case(ct, labels, lesion_label=2, liver_label=1)
    assert sitk.Hash(case.lesion) == sitk.Hash(lesion)
    assert sitk.Hash(case.liver) == sitk.Hash(liver)
    assert case.warnings == ()


@pytest.mark.parametrize("pixel", [sitk.sitkFloat32, sitk.sitkFloat64, sitk.sitkInt16, sitk.sitkUInt32])
@pytest.mark.parametrize("value", [1, 255])
def test_any_pixel_type_serves_as_a_mask(images, pixel, value):
    ct, lesion, liver = images
    case = make_case(ct, sitk.Cast(lesion, pixel) * value, liver_image=liver)
    assert sitk.Hash(case.lesion) == sitk.Hash(lesion)


def test_header_rounding_is_not_another_grid(images):
    ct, lesion, liver = images
    rounded = sitk.Image(lesion)
    rounded.SetOrigin(np.add(rounded.GetOrigin(), 1e-4).tolist())
    case = make_case(ct, rounded, liver_image=liver)
    assert case.warnings == ()
    assert case.lesion.GetOrigin() == ct.GetOrigin()


def test_the_part_of_a_mask_outside_the_scan_is_told(phantoms, images):
    ct, _, _ = images
    far = phantoms.grid_image(60, SPACING, centre=(0, 0, 20.0))
    case = make_case(ct, phantoms.sphere(far, (0, 0, 47.0), 10.0))
    assert any("% of the lesion mask lies outside the CT" in warning for warning in case.warnings)
    assert case.lesion.GetSize() == ct.GetSize()


def test_a_mask_partly_in_air_is_doubted(phantoms, images):
    ct, _, _ = images
    case = make_case(ct, phantoms.sphere(ct, (42.0, 0, 0), 10.0))
    assert any("in air" in warning for warning in case.warnings)


def test_a_bone_dense_lesion_is_doubted(phantoms, images):
    ct, _, _ = images
    array = sitk.GetArrayFromImage(ct)
    mask = phantoms.sphere(ct, (0, 0, 0), 8.0)
    array[sitk.GetArrayFromImage(mask) > 0] = 700
    case = make_case(phantoms.like(array, ct), mask)
    assert any("700 HU, unusual" in warning for warning in case.warnings)


def test_a_clipped_scan_is_told(images):
    ct, lesion, liver = images
    case = make_case(sitk.Clamp(ct, sitk.sitkInt16, -160, 240), lesion, liver_image=liver)
    assert any("clipped to a window" in warning for warning in case.warnings)


def test_no_liver_mask_is_told(images):
    ct, lesion, _ = images
    case = make_case(ct, lesion)
    assert case.liver is None
    assert any("No liver mask" in warning for warning in case.warnings)


def test_a_nifti_without_orientation_is_told(tmp_path, images):
    ct, lesion, _ = images
    path = tmp_path / "ct.nii"
    sitk.WriteImage(ct, str(path))
    content = bytearray(path.read_bytes())
    content[252:256] = bytes(4)  # qform_code and sform_code: unknown
    path.write_bytes(content)
    lost = sitk.ReadImage(str(path))
    mask = sitk.GetImageFromArray(sitk.GetArrayFromImage(lesion))
    mask.CopyInformation(lost)
    case = make_case(lost, mask)
    assert any("no orientation" in warning for warning in case.warnings)


def test_geometry_codes_stay_and_the_rest_goes(images):
    ct, lesion, _ = images
    named = sitk.Image(ct)
    named.SetMetaData("qform_code", "1")
    named.SetMetaData("descrip", "Doe^Jane")
    case = make_case(named, lesion)
    assert case.ct.GetMetaDataKeys() == ("qform_code",)
    assert named.GetMetaDataKeys() == ("descrip", "qform_code")


def test_padding_below_air_is_accepted(phantoms, images):
    ct, lesion, liver = images
    array = sitk.GetArrayFromImage(ct)
    array[:, :3] = -3024
    assert make_case(phantoms.like(array, ct), lesion, liver_image=liver).warnings == ()


def test_read_case_equals_make_case(tmp_path, images):
    ct, lesion, liver = images
    for name, image in (("ct", ct), ("lesion", lesion), ("liver", liver)):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    read = read_case(str(tmp_path / "ct.nrrd"), tmp_path / "lesion.nrrd", liver=tmp_path / "liver.nrrd")
    made = make_case(ct, lesion, liver_image=liver)
    for name in ("ct", "lesion", "liver"):
        assert sitk.Hash(getattr(read, name)) == sitk.Hash(getattr(made, name))


def test_the_liver_mask_may_miss_the_lesion_but_not_by_far(phantoms, images):
    """Some draw the liver without its tumours; a liver on the other side of the scan is a mistake."""
    ct, lesion, liver = images
    hole = sitk.And(liver, 1 - lesion)
    assert sitk.Hash(make_case(ct, lesion, liver_image=hole).liver) == sitk.Hash(liver)
    with pytest.raises(InputError, match="more than 10 mm"):
        make_case(ct, lesion, liver_image=phantoms.sphere(ct, (-36, 0, 0), 8.0))
