"""Reading: every format gives the same volume, and nothing that names a patient comes with it."""

import numpy as np
import pytest
import SimpleITK as sitk

from mewm.case import read_case
from mewm.errors import InputError
from mewm.file_checks import states_spacing
from mewm.image_io import read_image

OBLIQUE = sitk.Euler3DTransform((0, 0, 0), 0.2, -0.15, 0.3).GetMatrix()


@pytest.fixture(scope="module")
def volume(phantoms):
    ct, _, _ = phantoms.make_phantom((40, 36, 20), (2.5, 2.5, 5.0), direction=OBLIQUE, centre=(7.0, -31.5, 12.0))
    return ct


def assert_same_volume(found: sitk.Image, expected: sitk.Image, tolerance: float = 1e-4) -> None:
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))
    for get in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(found, get)(), getattr(expected, get)(), atol=tolerance)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_every_file_format_gives_the_same_volume(tmp_path, volume, ending):
    path = tmp_path / f"ct{ending}"
    sitk.WriteImage(volume, str(path))
    found = read_image(path)
    assert_same_volume(found, volume)
    assert found.GetPixelID() == volume.GetPixelID()


def test_dicom_folder_is_sorted_rescaled_and_placed(tmp_path, phantoms, volume):
    phantoms.write_dicom(tmp_path / "series", volume)
    assert_same_volume(read_image(tmp_path / "series"), sitk.Maximum(volume, -1024), tolerance=1e-3)


def test_dicom_written_by_itk_is_read(tmp_path, volume):
    flat = sitk.Image(volume)
    flat.SetDirection(np.eye(3).ravel())
    folder = tmp_path / "itk"
    folder.mkdir()
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k in range(flat.GetDepth()):
        piece = flat[:, :, k]
        piece.SetMetaData("0008|0060", "CT")
        piece.SetMetaData("0020|000e", "1.2.3.4")
        piece.SetMetaData("0020|0032", "\\".join(map(str, flat.TransformIndexToPhysicalPoint((0, 0, k)))))
        piece.SetMetaData("0020|0037", "1\\0\\0\\0\\1\\0")
        writer.SetFileName(str(folder / f"{k}.dcm"))
        writer.Execute(piece)
    assert_same_volume(read_image(folder), flat, tolerance=1e-3)


def test_no_identifier_survives(tmp_path, phantoms, volume):
    phantoms.write_dicom(tmp_path / "series", volume)
    named = sitk.Image(volume)
    named.SetMetaData("PatientName", "Doe^Jane")
    named.SetMetaData("0010|0010", "Doe^Jane")
    named.SetMetaData("descrip", "Doe^Jane")
    named.SetMetaData("ITK_FileNotes", "Doe^Jane")
    for ending in (".nrrd", ".nii", ".mha"):
        sitk.WriteImage(named, str(tmp_path / f"named{ending}"))
    for path in tmp_path.iterdir():
        if path.suffix != ".raw":
            image = read_image(path)
            assert not any("Doe" in image.GetMetaData(key) for key in image.GetMetaDataKeys()), path
    assert named.GetMetaData("0010|0010") == "Doe^Jane"


def test_mrc_takes_spacing_and_orientation_from_the_caller(tmp_path, volume):
    path = tmp_path / "ct.mrc"
    sitk.WriteImage(sitk.Cast(volume, sitk.sitkFloat32), str(path))
    image = read_image(path, spacing=(2.5, 2.5, 5.0), orientation="spl")
    assert image.GetSpacing() == (2.5, 2.5, 5.0)
    # x towards superior, y towards posterior, z towards left
    assert image.GetDirection() == (0, 0, 1, 0, 1, 0, 1, 0, 0)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(volume))


def test_spacing_is_never_taken_for_granted(tmp_path, volume):
    flat = sitk.Image(volume)
    flat.SetDirection(np.eye(3).ravel())
    path = tmp_path / "ct.mha"
    sitk.WriteImage(flat, str(path))
    assert states_spacing(path)
    path.write_bytes(path.read_bytes().replace(b"ElementSpacing", b"Elementspicing"))
    assert not states_spacing(path)
    with pytest.raises(InputError, match="states no voxel spacing"):
        read_image(path)


def test_one_time_point_of_a_4d_file_is_a_volume(tmp_path, volume):
    path = tmp_path / "ct.nii"
    sitk.WriteImage(sitk.JoinSeries([volume]), str(path))
    assert_same_volume(read_image(path), volume)


def test_read_case_from_dicom_and_a_mask_drawn_on_it(tmp_path, phantoms):
    ct, lesion, liver = phantoms.make_phantom((48, 48, 24), (2.0, 2.0, 4.0))
    phantoms.write_dicom(tmp_path / "ct", ct)
    sitk.WriteImage(lesion, str(tmp_path / "lesion.nrrd"))
    sitk.WriteImage(liver, str(tmp_path / "liver.nii.gz"))
    case = read_case(tmp_path / "ct", tmp_path / "lesion.nrrd", liver=tmp_path / "liver.nii.gz", facts={"ecog": 1})
    np.testing.assert_array_equal(sitk.GetArrayFromImage(case.lesion), sitk.GetArrayFromImage(lesion))
    assert case.facts.ecog == 1
    assert case.warnings == ()


def test_read_case_says_that_an_mrc_is_an_estimate(tmp_path, phantoms):
    ct, lesion, _ = phantoms.make_phantom(40, (2.5, 2.5, 2.5))
    sitk.WriteImage(sitk.Cast(ct, sitk.sitkFloat32), str(tmp_path / "ct.mrc"))
    sitk.WriteImage(sitk.Cast(lesion, sitk.sitkUInt16), str(tmp_path / "lesion.mrc"))
    case = read_case(tmp_path / "ct.mrc", tmp_path / "lesion.mrc", spacing=(2.5, 2.5, 2.5))
    assert case.ct.GetSpacing() == (2.5, 2.5, 2.5)
    assert any("2.5 × 2.5 × 2.5 mm" in w and "estimates" in w for w in case.warnings)
