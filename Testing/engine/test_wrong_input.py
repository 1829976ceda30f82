"""Every wrong input of a case gets one sentence that names the thing, the value found and what to do.

The list only grows. Each entry writes its files into a folder and returns the arguments of ``read_case``.
"""

import struct

import numpy as np
import pytest
import SimpleITK as sitk

from mewm import volume_checks
from mewm.case import make_case, read_case
from mewm.errors import InputError
from mewm.roi import cut_roi

SIZE, SPACING = (40, 36, 32), (2.0, 2.0, 2.5)


class Folder:
    """A good case on disk, of which one thing is then spoiled."""

    def __init__(self, path, phantoms):
        self.path, self.phantoms = path, phantoms
        self.ct, self.lesion, self.liver = phantoms.make_phantom(SIZE, SPACING, lesion_radius=9)
        self.array = sitk.GetArrayFromImage(self.ct)
        self.mask = sitk.GetArrayFromImage(self.lesion)

    def like(self, array):
        return self.phantoms.like(array, self.ct)

    def case(self, ct=None, lesion=None, **more):
        """Write the given images (or the good ones) and return arguments for read_case."""
        files = {}
        for name, image in (("ct", ct or self.ct), ("lesion", lesion or self.lesion)):
            files[name] = image if not isinstance(image, sitk.Image) else self.write(image, f"{name}.nii.gz")
        return {**files, **more}

    def write(self, image, name):
        sitk.WriteImage(image, str(self.path / name))
        return self.path / name

    def bytes(self, name, content):
        (self.path / name).write_bytes(content)
        return self.path / name

    def dicom(self, **options):
        self.phantoms.write_dicom(self.path / "dicom", self.ct, **options)
        return self.path / "dicom"

    def edited(self, name, old, new):
        """The good CT as a MetaImage whose header was edited."""
        content = self.write(self.ct, name).read_bytes()
        assert old in content
        return self.bytes(name, content.replace(old, new))

    def nifti(self, *edits):
        """The good CT as NIfTI with header fields packed anew at their offsets."""
        content = bytearray(self.write(self.ct, "ct.nii").read_bytes())
        for offset, layout, values in edits:
            struct.pack_into("<" + layout, content, offset, *values)
        return self.bytes("edited.nii", bytes(content))


def cut_in_half(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def shifted(image, by):
    moved = sitk.Image(image)
    moved.SetOrigin(np.add(moved.GetOrigin(), by).tolist())
    return moved


def two_series(f):
    f.dicom()
    f.phantoms.write_dicom(f.path / "dicom", f.ct, series="1.2.4", skip=range(20, 99))
    return f.path / "dicom"


def tilted(f):
    direction = np.eye(3)
    direction[1, 2] = 0.2
    f.ct.SetDirection(direction.ravel())
    return f.dicom()


def uneven(f):
    f.dicom(skip=range(20, 99))
    f.phantoms.write_dicom(f.path / "dicom", shifted(f.ct, (0, 0, 1.0)), skip=range(20), first=200)
    return f.path / "dicom"


def doubled(f):
    f.dicom()
    part = f.path / "second"
    f.phantoms.write_dicom(part, f.ct, first=100)
    for path in part.iterdir():
        path.rename(f.path / "dicom" / f"x{path.name}")
    return f.path / "dicom"


def damaged_slice(f):
    cut_in_half(sorted(f.dicom().iterdir())[5])
    return f.path / "dicom"


def subfolder_only(f):
    f.dicom().rename(f.path / "inner")
    (f.path / "outer").mkdir()
    (f.path / "inner").rename(f.path / "outer" / "inner")
    return f.path / "outer"


def colour(f):
    return sitk.Compose([sitk.Cast(f.ct, sitk.sitkUInt8)] * 3)


def sheared(f):
    return f.nifti((252, "2h", (0, 1)), (280, "12f", (2, 1, 0, 0, 0, 2, 0, 0, 0, 0, 2.5, 0)))


def with_value(f, value):
    array = f.array.astype(np.float32)
    array[3, 3, 3] = value
    return f.like(array)


def two_lesions(f):
    return f.like(f.mask | np.roll(f.mask, 12, axis=2))


CASES = {
    # the file
    "missing file": (lambda f: f.case(ct=f.path / "none.nii"), ["CT", "none.nii", "does not exist"]),
    "missing mask": (lambda f: f.case(lesion=f.path / "none.nii"), ["lesion mask", "does not exist"]),
    "missing liver": (lambda f: f.case(liver=f.path / "none.nii"), ["liver mask", "does not exist"]),
    "wrong ending": (lambda f: f.case(ct=f.bytes("ct.png", b"x")), ["'.png'", "NIfTI"]),
    "no ending": (lambda f: f.case(ct=f.bytes("ct", b"x" * 300)), ["'none'", "NIfTI"]),
    "empty file": (lambda f: f.case(ct=f.bytes("ct.nii", b"")), ["empty (0 bytes)"]),
    "not an image": (lambda f: f.case(ct=f.bytes("ct.nrrd", b"hello" * 99)), ["damaged"]),
    **{
        f"cut short {name}": (
            lambda f, name=name: f.case(ct=cut_in_half(f.write(f.ct, name))),
            [name, "cut short", "again"],
        )
        for name in ("ct.nii", "cut.nii.gz", "ct.nrrd", "ct.mha")
    },
    "cut short mrc": (
        lambda f: f.case(ct=cut_in_half(f.write(sitk.Cast(f.ct, sitk.sitkFloat32), "ct.mrc")), spacing=(2, 2, 2.5)),
        ["ct.mrc", "cut short"],
    ),
    "cut short mask": (
        lambda f: f.case(lesion=cut_in_half(f.write(f.lesion, "mask.nii"))),
        ["lesion mask", "mask.nii", "cut short"],
    ),
    "mhd without its data": (
        lambda f: [f.write(f.ct, "ct.mhd"), (f.path / "ct.raw").unlink(), f.case(ct=f.path / "ct.mhd")][-1],
        ["ct.mhd", "damaged"],
    ),
    # DICOM
    "folder without DICOM": (lambda f: f.case(ct=f.path), ["no DICOM series", "folder with the slices"]),
    "DICOM one level deeper": (lambda f: f.case(ct=subfolder_only(f)), ["no DICOM series"]),
    "several series": (
        lambda f: f.case(ct=two_series(f)),
        ["2 DICOM series", "32 slices", "20 slices", "folder of its own"],
    ),
    "missing slice": (lambda f: f.case(ct=f.dicom(skip=(7,))), ["5 mm after slice 7", "2.5 mm", "missing"]),
    "uneven slices": (lambda f: f.case(ct=uneven(f)), ["3.5 mm after slice 20", "uneven"]),
    "two phases in one series": (lambda f: f.case(ct=doubled(f)), ["32 DICOM slices", "one phase"]),
    "tilted gantry": (lambda f: f.case(ct=tilted(f)), ["tilted gantry"]),
    "not a CT": (lambda f: f.case(ct=f.dicom(modality="MR")), ["modality MR", "CT series"]),
    "one slice": (
        lambda f: f.case(ct=sorted(f.dicom().iterdir())[0]),
        ["one DICOM slice", "whole series"],
    ),
    "three slices": (lambda f: f.case(ct=f.dicom(skip=range(3, 99))), ["40×36×3 voxels", "at least 8"]),
    "damaged slice": (lambda f: f.case(ct=damaged_slice(f)), ["1 DICOM slices that are damaged", "again"]),
    "damaged last slice": (
        lambda f: [cut_in_half(next(f.dicom().glob("036_*"))), f.case(ct=f.path / "dicom")][-1],
        ["1 DICOM slices that are damaged"],
    ),
    # the header
    "colour": (lambda f: f.case(ct=f.write(colour(f), "ct.nrrd")), ["3 values a voxel", "grey-value"]),
    "complex": (
        lambda f: f.case(ct=f.nifti((40, "8h", (3, 20, 18, 16, 1, 1, 1, 1)), (70, "2h", (32, 64)))),
        ["complex numbers"],
    ),
    "4D": (lambda f: f.case(ct=sitk.JoinSeries([f.ct, f.ct])), ["4D", "2 time points"]),
    "2D": (lambda f: f.case(ct=f.ct[:, :, 5]), ["2D picture", "3D volume"]),
    "few voxels": (lambda f: f.case(ct=f.ct[:, :, :7]), ["40×36×7", "at least 8"]),
    "physically tiny": (
        lambda f: f.case(ct=f.edited("ct.mha", b"ElementSpacing = 2 2 2.5", b"ElementSpacing = .1 .1 .1")),
        ["4 × 3.6 × 3.2 mm", "20 mm"],
    ),
    "spacing in metres": (
        lambda f: f.case(ct=f.nifti((123, "B", (1,)))),
        ["more than 3000 mm", "spacing is in mm"],
    ),
    "huge": (lambda f: f.case(ct=f.nifti((40, "8h", (3, 2000, 2000, 2000, 1, 1, 1, 1)))), ["1.5 billion"]),
    "zero spacing": (
        lambda f: f.case(ct=f.edited("ct.mha", b"ElementSpacing = 2 2 2.5", b"ElementSpacing = 2 0 2.5")),
        ["spacing of zero"],
    ),
    "zero spacing in NIfTI": (lambda f: f.case(ct=f.nifti((80, "3f", (2, 0, 2.5)))), ["2 × 0 × 2.5 mm"]),
    "spacing not a number": (lambda f: f.case(ct=f.nifti((80, "3f", (np.nan, 2, 2)))), ["nan × 2 × 2 mm"]),
    "sheared NIfTI": (lambda f: f.case(ct=sheared(f)), ["right angles", "resample"]),
    "sheared MetaImage": (
        lambda f: f.case(ct=f.edited("ct.mha", b"Matrix = 1 0 0 0 1", b"Matrix = 1 0 0 0.5 1")),
        ["right angles", "resample"],
    ),
    "no spacing stated": (
        lambda f: f.case(ct=f.write(sitk.Cast(f.ct, sitk.sitkFloat32), "ct.mrc")),
        ["states no voxel spacing", "give it in mm"],
    ),
    "spacing not needed": (lambda f: f.case(spacing=(1, 1, 1)), ["state their own voxel spacing"]),
    "spacing nonsense": (
        lambda f: f.case(ct=f.write(sitk.Cast(f.ct, sitk.sitkFloat32), "ct.mrc"), spacing=(2, -2, 2)),
        ["(2, -2, 2)", "mm"],
    ),
    "orientation nonsense": (
        lambda f: f.case(ct=f.write(sitk.Cast(f.ct, sitk.sitkFloat32), "ct.mrc"), spacing=(2, 2, 2), orientation="LLS"),
        ["'LLS'", "LPS"],
    ),
    # the CT's values
    "label map as CT": (lambda f: f.case(ct=f.lesion), ["2 whole values from 0 to 1", "label map"]),
    "grey picture as CT": (
        lambda f: f.case(ct=f.like(np.clip((f.array + 160) * 0.6375, 0, 255).astype(np.uint8))),
        ["0 to", "Hounsfield"],
    ),
    "raw stored values": (lambda f: f.case(ct=f.ct + 1100), ["rescale slope and intercept"]),
    "normalised": (lambda f: f.case(ct=sitk.Cast(f.ct, sitk.sitkFloat32) / 1000.0), ["normalised image"]),
    "constant": (lambda f: f.case(ct=f.ct * 0 + 40), ["same value 40"]),
    "no soft tissue": (lambda f: f.case(ct=f.ct * 20 - 9000), ["soft tissue", "abdominal CT"]),
    "NaN": (lambda f: f.case(ct=with_value(f, np.nan)), ["1 voxels", "NaN"]),
    "infinite": (lambda f: f.case(ct=with_value(f, np.inf)), ["1 voxels", "infinite"]),
    # masks
    "empty mask": (lambda f: f.case(lesion=f.lesion * 0), ["lesion mask is empty"]),
    "mask outside the CT": (
        lambda f: f.case(lesion=shifted(f.lesion, (500, 0, 0))),
        ["lesion mask lies wholly outside", "header lost", "same scan"],
    ),
    "mask on another grid outside": (
        lambda f: f.case(lesion=shifted(f.lesion, (0, 500, 0))[1:]),
        ["lesion mask lies wholly outside", "same scan"],
    ),
    "mask 4D": (lambda f: f.case(lesion=sitk.JoinSeries([f.lesion, f.lesion])), ["lesion mask is 4D"]),
    "mask in colour": (
        lambda f: f.case(lesion=f.write(sitk.Compose([f.lesion] * 3), "lesion.nrrd")),
        ["lesion mask holds 3 values"],
    ),
    "several labels": (
        lambda f: f.case(lesion=f.lesion * 2 + f.liver),
        ["several labels (1, 3)", "which one"],
    ),
    "label not there": (lambda f: f.case(lesion_label=4), ["no label 4", "only 1"]),
    "liver label not there": (lambda f: f.case(liver_label=6), ["liver mask has no label 6"]),
    "probability map": (
        lambda f: f.case(lesion=sitk.SmoothingRecursiveGaussian(sitk.Cast(f.lesion, sitk.sitkFloat32), 4)),
        ["fractions", "threshold"],
    ),
    "CT as mask": (lambda f: f.case(lesion=f.ct), ["lesion mask holds", "like an image"]),
    "NaN in mask": (
        lambda f: f.case(lesion=f.like(np.where(f.mask, np.nan, 0).astype(np.float32))),
        ["lesion mask", "NaN"],
    ),
    "mask of nearly everything": (lambda f: f.case(lesion=f.like(1 - f.mask)), ["covers 9", "inverted"]),
    "mask in air": (
        lambda f: f.case(lesion=f.phantoms.sphere(f.ct, np.array(f.ct.GetOrigin()) + 8, 6)),
        ["in air", "median -", "shifted"],
    ),
    "no such component": (
        lambda f: f.case(lesion=two_lesions(f), component=3),
        ["2 separate parts", "number 3", "1 to 2"],
    ),
    "component zero": (lambda f: f.case(component=0), ["number 0"]),
    "second of one component": (lambda f: f.case(component=2), ["has one part, not a number 2", "choose 1."]),
    "liver elsewhere": (
        lambda f: f.case(liver=f.write(f.phantoms.sphere(f.ct, (-30, 0, 0), 6), "liver.nii")),
        ["more than 10 mm from the liver mask"],
    ),
    "lesion lost between voxels": (
        lambda f: f.case(
            lesion=f.phantoms.sphere(
                f.phantoms.grid_image(64, (0.4, 0.4, 0.4), centre=(1.0, 1.0, 1.25)), (2.0, 2.0, 2.5), 0.3
            )
        ),
        ["vanishes between the CT's voxels"],
    ),
    "wrong facts": (lambda f: f.case(facts={"ecog": 9}), ["ecog is 9"]),
    "facts that contradict each other": (
        lambda f: f.case(facts=f.bytes("facts.json", b'{"child_pugh": "A5", "child_pugh": "C12"}')),
        ["child_pugh twice", "'A5'", "'C12'", "keep one"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_wrong_input_is_told_in_one_sentence(tmp_path, phantoms, name):
    build, words = CASES[name]
    arguments = build(Folder(tmp_path, phantoms))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as error:
        read_case(**arguments)
    message = str(error.value)
    for word in words:
        assert word in message, message
    assert message[0].isupper() and message.endswith(".") and "\n" not in message
    assert "Doe" not in message and "itk::" not in message
    assert sorted(tmp_path.rglob("*")) == before


def test_the_case_that_is_spoiled_above_is_good(tmp_path, phantoms):
    case = read_case(**Folder(tmp_path, phantoms).case())
    assert len(case.warnings) == 1 and "No liver mask" in case.warnings[0]


def test_lesion_larger_than_the_model_grid(phantoms):
    ct, lesion, _ = phantoms.make_phantom(50, (5.0, 5.0, 5.0), lesion_radius=90)
    with pytest.raises(InputError, match=r"measures 18. × 18. × 18. mm, more than the 164 mm"):
        cut_roi(make_case(ct, lesion))


def test_a_whole_nifti_file_that_cannot_be_loaded_is_not_called_damaged(tmp_path, phantoms, monkeypatch):
    def exhausted(_):
        raise RuntimeError("ITK ERROR: NiftiImageIO: nifti_image_load failed for file: ct.nii.gz")

    arguments = Folder(tmp_path, phantoms).case()
    monkeypatch.setattr(sitk.ImageFileReader, "Execute", exhausted)
    with pytest.raises(InputError, match=r"CT file ct\.nii\.gz does not fit in memory; crop it"):
        read_case(**arguments)


def test_huge_volume_is_refused_before_it_is_loaded(tmp_path, phantoms, monkeypatch):
    arguments = Folder(tmp_path, phantoms).case()
    monkeypatch.setattr(volume_checks, "MAX_VOXELS", 1000)
    monkeypatch.setattr(sitk.ImageFileReader, "Execute", lambda _: pytest.fail("loaded"))
    with pytest.raises(InputError, match="more than the limit"):
        read_case(**arguments)
