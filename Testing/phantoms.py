"""A quick synthetic abdomen: body, spine, liver and one hypervascular lesion, drawn in LPS for any grid."""

import numpy as np
import SimpleITK as sitk

from mewm.case import Case, make_case

AIR, FAT, MUSCLE, BONE, LIVER, RIM, CORE = -1000.0, -95.0, 55.0, 420.0, 95.0, 140.0, 50.0


def grid_image(size=96, spacing=(1.5, 1.5, 1.5), direction=None, centre=(0.0, 0.0, 0.0)) -> sitk.Image:
    """An empty uint8 image whose middle lies at ``centre`` (LPS, mm)."""
    size = (size,) * 3 if isinstance(size, int) else tuple(size)
    direction = np.eye(3) if direction is None else np.asarray(direction, float).reshape(3, 3)
    image = sitk.Image(size, sitk.sitkUInt8)
    image.SetSpacing([float(s) for s in spacing])
    image.SetDirection(direction.ravel().tolist())
    middle = direction @ (np.array(spacing) * (np.array(size) - 1) / 2)
    image.SetOrigin((np.array(centre) - middle).tolist())
    return image


def positions(image: sitk.Image) -> np.ndarray:
    """LPS coordinates of every voxel, ``(z, y, x, 3)``."""
    x, y, z = image.GetSize()
    index = np.stack(np.meshgrid(np.arange(z), np.arange(y), np.arange(x), indexing="ij"), -1)[..., ::-1]
    matrix = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    return index @ matrix.T + np.array(image.GetOrigin())


def like(array: np.ndarray, image: sitk.Image) -> sitk.Image:
    out = sitk.GetImageFromArray(array)
    out.CopyInformation(image)
    return out


def sphere(image: sitk.Image, centre, radius: float) -> sitk.Image:
    """A uint8 ball on the image's grid."""
    inside = np.linalg.norm(positions(image) - np.array(centre), axis=-1) <= radius
    return like(inside.astype(np.uint8), image)


def make_phantom(
    size=96,
    spacing=(1.5, 1.5, 1.5),
    seed=0,
    *,
    direction=None,
    centre=(0.0, 0.0, 0.0),
    lesion_centre=None,
    lesion_radius=12.0,
    noise=12.0,
    pixel=sitk.sitkInt16,
) -> tuple[sitk.Image, sitk.Image, sitk.Image]:
    """CT, lesion and liver on one grid. The anatomy scales with the shortest edge of the volume."""
    grid = grid_image(size, spacing, direction, centre)
    place = positions(grid) - np.array(centre)
    reach = 0.5 * float(np.min(np.array(grid.GetSize()) * np.array(grid.GetSpacing())))
    lesion_at = np.zeros(3) if lesion_centre is None else np.array(lesion_centre) - np.array(centre)
    x, y, z = np.moveaxis(place, -1, 0)
    radius = np.hypot(x, y)
    distance = np.linalg.norm(place - lesion_at, axis=-1)
    liver = (x / 0.62) ** 2 + (y / 0.55) ** 2 + (z / 0.75) ** 2 <= reach**2
    lesion = distance <= lesion_radius
    ct = np.full(x.shape, AIR)
    ct[radius <= 0.95 * reach] = FAT
    ct[radius <= 0.85 * reach] = MUSCLE
    ct[np.hypot(x, y - 0.72 * reach) <= 0.1 * reach] = BONE
    ct[liver] = LIVER
    ct[lesion] = RIM
    ct[distance <= 0.45 * lesion_radius] = CORE
    ct += np.random.default_rng(seed).normal(0.0, noise, ct.shape)
    image = sitk.Cast(like(np.round(ct).astype(np.float32), grid), pixel)
    return image, like(lesion.astype(np.uint8), grid), like((liver | lesion).astype(np.uint8), grid)


def make_phantom_case(size=96, spacing=(1.5, 1.5, 1.5), seed=0, *, facts=None, liver=True, **options) -> Case:
    """A checked case of :func:`make_phantom`, with or without its liver mask."""
    ct, lesion, liver_image = make_phantom(size, spacing, seed, **options)
    return make_case(ct, lesion, liver_image=liver_image if liver else None, facts=facts)


def write_dicom(folder, image: sitk.Image, *, series="1.2.3", name="Doe^Jane", modality="CT", skip=(), first=0):
    """Write a real DICOM series, one file a slice, with pydicom: stored values are HU + 1024."""
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    folder.mkdir(parents=True, exist_ok=True)
    array = sitk.GetArrayFromImage(image)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    for k in range(array.shape[0]):
        if k in skip:
            continue
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = f"{series}.{k + 1}"
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        slice_ = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        slice_.SOPClassUID, slice_.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        slice_.StudyInstanceUID, slice_.SeriesInstanceUID = "1.2", series
        slice_.PatientName, slice_.PatientID, slice_.PatientBirthDate = name, "MRN12345", "19500101"
        slice_.Modality, slice_.SeriesDescription, slice_.InstanceNumber = modality, name, first + k + 1
        slice_.ImagePositionPatient = [f"{v:.6f}" for v in image.TransformIndexToPhysicalPoint((0, 0, k))]
        slice_.ImageOrientationPatient = [f"{v:.8f}" for v in (*direction[:, 0], *direction[:, 1])]
        slice_.PixelSpacing = [f"{image.GetSpacing()[1]:.6f}", f"{image.GetSpacing()[0]:.6f}"]
        slice_.SliceThickness = f"{image.GetSpacing()[2]:.6f}"
        slice_.Rows, slice_.Columns = array.shape[1:]
        slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
        slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit, slice_.PixelRepresentation = 16, 16, 15, 0
        slice_.RescaleIntercept, slice_.RescaleSlope = -1024, 1
        slice_.PixelData = (np.clip(array[k], -1024, None) + 1024).astype("<u2").tobytes()
        # Names in no order: the reader has to sort by position.
        pydicom.dcmwrite(folder / f"{(k * 37) % 101:03d}_{series}.dcm", slice_, enforce_file_format=True)
