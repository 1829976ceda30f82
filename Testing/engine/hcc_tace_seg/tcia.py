"""A small abdomen as a function of place, and real DICOM files of it as TCIA would deliver them."""

import datetime
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

SHAPE, SPACING = (24, 64, 64), (5.0, 3.0, 3.0)  # z, y, x
LESION, RADIUS = np.array([-30.0, -12.0, -6.0]), 13.0
PHASES = {  # aorta, portal vein and its branches, hepatic veins, liver, lesion
    "unenhanced": (40, 40, 40, 55, 50),
    "arterial": (300, 130, 70, 75, 140),
    "portal": (150, 165, 150, 108, 85),
}
HEPATIC_VEINS = [  # ends and radius; they meet below the diaphragm
    ((-5, 0, 40), (-55, -15, 5), 4.5),
    ((-5, 0, 40), (-30, -38, 5), 4.5),
    ((-5, 0, 40), (-40, 22, -10), 4.5),
]
PORTAL_BRANCHES = [
    ((-8, 2, -5), (-50, 8, -35), 4.5),
    ((-25, -2, 8), (-60, -5, 25), 4),
    ((-25, -2, 8), (-22, -30, 28), 4),
    ((-15, 2, -8), (5, -28, 0), 4),
    ((-5, -12, -3), (0, -25, -25), 3.5),
    ((-28, 4, -22), (-20, -25, -35), 3.5),
    ((-45, -5, 15), (-48, 20, 20), 3.5),
]
SECRETS = ("Doe^Jane", "19520403", "ACC998877")


def _tube(p, ends, radius):
    a, b = np.array(ends[0], float), np.array(ends[1], float)
    t = np.clip(((p - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)
    return np.linalg.norm(p - a - t[..., None] * (b - a), axis=-1) <= radius


def structures(p):
    """Masks of the marked structures at LPS points ``(..., 3)``; the liver is without lesion and portal vein."""
    liver = (((p - np.array([-22, -5, 0])) / np.array([52, 40, 46])) ** 2).sum(-1) <= 1
    lesion = np.linalg.norm(p - LESION, axis=-1) <= RADIUS
    portal = _tube(p, ((5, 8, -25), (-25, -2, 8)), 6.0) & ~lesion
    aorta = np.hypot(p[..., 0] - 8, p[..., 1] - 26) <= 8
    return {"liver": liver & ~lesion & ~portal, "tumour": lesion, "portal_vein": portal, "aorta": aorta}


def anatomy(p, phase="portal", *, treated=False):
    """Hounsfield units at LPS points ``(..., 3)``."""
    aorta, portal, veins, liver, lesion = PHASES[phase]
    masks = structures(p)
    body = (p[..., 0] / 88) ** 2 + (p[..., 1] / 68) ** 2
    hu = np.full(p.shape[:-1], -1000.0)
    hu[body <= 1] = -95
    hu[body <= 0.8] = 50
    hu[(((p - np.array([52, 12, 12])) / np.array([22, 26, 30])) ** 2).sum(-1) <= 1] = liver + 15
    hu[np.hypot(p[..., 0], p[..., 1] - 46) <= 12] = 350
    hu[masks["liver"]] = liver
    for start, end, radius in PORTAL_BRANCHES:
        hu[_tube(p, (start, end), radius) & masks["liver"]] = portal
    for start, end, radius in HEPATIC_VEINS:
        hu[_tube(p, (start, end), radius) & masks["liver"]] = veins
    hu[masks["tumour"]] = lesion
    if treated:
        hu[masks["tumour"] & (p[..., 0] < LESION[0] + 5)] = 420
    hu[masks["portal_vein"]] = portal
    hu[masks["aorta"]] = aorta
    return hu


def moved(p):
    """Where a point of the follow-up was in the first CT: turned, shifted and bent by known amounts."""
    q = p / 130 * 2 * np.pi
    bend = np.stack(
        [np.sin(q[..., 1] + 0.3), np.sin(q[..., 2] + 0.5) * np.cos(0.6 * q[..., 0]), np.sin(q[..., 0] + 1)], -1
    )
    angle = np.deg2rad(4)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return (p + 4 * bend) @ turn.T + np.array([5.0, -4.0, 6.0])


@dataclass
class Geometry:
    """Where slices lie: first pixels ``(n, 3)``, direction of a row and of a column, pixel edges."""

    positions: np.ndarray
    row: np.ndarray
    column: np.ndarray
    shape: tuple = SHAPE[1:]
    spacing: tuple = SPACING[1:]

    def points(self):
        i, j = np.meshgrid(np.arange(self.shape[0]), np.arange(self.shape[1]), indexing="ij")
        plane = i[..., None] * self.spacing[0] * self.column + j[..., None] * self.spacing[1] * self.row
        return self.positions[:, None, None] + plane


def axial(count=SHAPE[0], gap=SPACING[0], *, flipped=False, tilt=0.0, shape=SHAPE[1:], spacing=SPACING[1:]):
    """Slices across the body; ``flipped`` stores rows to the right and from the feet up, ``tilt`` in degrees."""
    a = np.deg2rad(tilt)
    row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(a), -np.sin(a)])
    if flipped:
        row, column = -row, column
    middle = row * spacing[1] * (shape[1] - 1) / 2 + column * spacing[0] * (shape[0] - 1) / 2
    z = (np.arange(count) - (count - 1) / 2) * gap
    return Geometry(np.stack([0 * z, 0 * z, z], 1) - middle, row, column, shape, spacing)


def sagittal():
    """Slices along the body, 60 of 3 mm, rows to the back, columns to the feet."""
    x = (np.arange(60) - 29.5) * 3.0
    row, column = np.array([0, 1.0, 0]), np.array([0, 0, -1.0])
    middle = row * 3 * 63 / 2 + column * 3 * 39 / 2
    return Geometry(np.stack([x, 0 * x, 0 * x], 1) - middle, row, column, (40, 64), (3.0, 3.0))


def pixels(geometry, phase="portal", *, followup=False, seed=0):
    p = geometry.points()
    hu = anatomy(moved(p) if followup else p, phase, treated=followup)
    return np.round(hu + np.random.default_rng(seed).normal(0, 10, hu.shape)).astype(int)


@dataclass
class Writer:
    """Writes series of one patient under a folder whose names tell nothing."""

    root: Path
    patient: str
    day: datetime.date = datetime.date(1998, 3, 5)
    count: int = 0
    studies: dict = field(default_factory=dict)

    def study(self, weeks=0.0):
        date = self.day + datetime.timedelta(days=round(7 * weeks))
        return self.studies.setdefault(weeks, (generate_uid(), date.strftime("%Y%m%d"), generate_uid()))

    def dataset(self, weeks, series, sop_class, modality, description):
        uid, date, frame = self.study(weeks)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
        data.PatientID, data.PatientName, data.PatientBirthDate, data.PatientSex = (
            self.patient,
            SECRETS[0],
            SECRETS[1],
            "F",
        )
        data.AccessionNumber, data.StudyID, data.StudyTime, data.ReferringPhysicianName = (
            SECRETS[2],
            "1",
            "101500",
            "Roe^R",
        )
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = uid, series, frame
        data.StudyDate, data.Modality, data.SeriesDescription, data.SeriesNumber = date, modality, description, 3
        return data

    def ct(
        self,
        geometry,
        hu,
        description="LIVER 3 PHASE AP",
        *,
        weeks=0.0,
        series=None,
        acquisition=1,
        time="101500",
        kind=("ORIGINAL", "PRIMARY", "AXIAL"),
        skip=(),
        flat=False,
    ):
        """Write a CT series (or one more acquisition of ``series``); return its data sets."""
        series = series or generate_uid()
        self.count += 1
        folder = self.root / (
            "flat" if flat else f"HCC-TACE-Seg/x{self.patient[-2:]}/{weeks}-NA-CT/{self.count}.000-NA"
        )
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for k, (position, plane) in enumerate(zip(geometry.positions, hu, strict=True)):
            if k in skip:
                continue
            data = self.dataset(weeks, series, CTImageStorage, "CT", description)
            data.ImageType, data.AcquisitionNumber, data.AcquisitionTime = list(kind), acquisition, time
            data.InstanceNumber = len(hu) * acquisition + k + 1
            data.ImagePositionPatient = [f"{v:.5f}" for v in position]
            data.ImageOrientationPatient = [f"{v:.8f}" for v in (*geometry.row, *geometry.column)]
            data.PixelSpacing = [f"{v:.6f}" for v in geometry.spacing]
            data.SliceThickness = "5"
            store(data, plane)
            name = f"{(k * 37) % 101:03d}-{self.count}-{self.patient}.dcm"
            pydicom.dcmwrite(folder / name, data, enforce_file_format=True)
            data.filename = folder / name
            written.append(data)
        return written

    def capture(self, weeks=0.0):
        """Write a dose report as a secondary capture."""
        data = self.dataset(weeks, generate_uid(), SecondaryCaptureImageStorage, "CT", "Dose Report")
        store(data, np.zeros((64, 64)))
        path = self.root / f"dose-{self.patient}.dcm"
        pydicom.dcmwrite(path, data, enforce_file_format=True)

    def seg(self, source, geometry, masks=None, *, weeks=0.0, labels=None):
        """Write a DICOM SEG with highdicom, its geometry stated by itself; return its path."""
        import highdicom as hd
        from pydicom.sr.coding import Code

        p = geometry.points()
        masks = masks or structures(p)
        names = labels or {"liver": "Liver", "tumour": "Mass", "portal_vein": "Portal vein", "aorta": "Abdominal aorta"}
        tissue, thing = Code("85756007", "SCT", "Tissue"), Code("91723000", "SCT", "Anatomical structure")
        codes = {"tumour": Code("4147007", "SCT", "Mass"), "liver": Code("10200004", "SCT", "Liver")}
        segments = [
            hd.seg.SegmentDescription(
                segment_number=n,
                segment_label=label,
                segmented_property_category=tissue,
                segmented_property_type=codes.get(name, thing),
                algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
            for n, (name, label) in enumerate(names.items(), 1)
        ]
        array = np.stack([masks[name] for name in names], -1).astype(np.uint8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seg = hd.seg.Segmentation(
                source_images=source,
                pixel_array=array,
                segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
                segment_descriptions=segments,
                series_instance_uid=generate_uid(),
                series_number=300,
                sop_instance_uid=generate_uid(),
                instance_number=1,
                manufacturer="test",
                manufacturer_model_name="test",
                software_versions="1",
                device_serial_number="1",
                pixel_measures=hd.PixelMeasuresSequence(
                    pixel_spacing=geometry.spacing,
                    slice_thickness=5.0,
                    spacing_between_slices=float(
                        abs(np.cross(geometry.row, geometry.column) @ (geometry.positions[1] - geometry.positions[0]))
                    ),
                ),
                plane_orientation=hd.PlaneOrientationSequence("PATIENT", [*geometry.row, *geometry.column]),
                plane_positions=[hd.PlanePositionSequence("PATIENT", list(q)) for q in geometry.positions],
                series_description="Segmentation",
            )
            path = self.root / f"seg-{self.patient}-{len(list(self.root.glob('seg-*')))}.dcm"
            seg.save_as(path)
        return path


def store(data, plane):
    data.Rows, data.Columns = plane.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.RescaleIntercept, data.RescaleSlope = -1024, 1
    data.PixelData = (np.clip(plane, -1024, None) + 1024).astype("<u2").tobytes()
