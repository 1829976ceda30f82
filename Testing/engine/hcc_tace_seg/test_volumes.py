"""Series to volumes, and masks onto them, for every arrangement of slices a scanner leaves."""

import numpy as np
import pytest
import SimpleITK as sitk

from mewm.cohort.hcc_tace_seg.curation import LeftOut
from mewm.cohort.hcc_tace_seg.headers import read_download
from mewm.cohort.hcc_tace_seg.phases import described_phase, enhancement
from mewm.cohort.hcc_tace_seg.segmentation import read_segmentation, structure_of, structures_on
from mewm.cohort.hcc_tace_seg.series import stacks, why_no_volume
from mewm.cohort.hcc_tace_seg.volume import assemble, read_ct


@pytest.fixture
def writer(tcia, tmp_path):
    return tcia.Writer(tmp_path, "HCC_042")


def series_of(writer):
    """The CT series of the writer's only study by description, and its SEG headers."""
    study = next(iter(read_download(writer.root).patients["HCC_042"].studies.values()))
    masks = [h for s in study.of("SEG") for h in s.headers.values()]
    return {s.description: s for s in study.of("CT")}, masks


def points(image):
    index = np.moveaxis(np.indices(image.GetSize()[::-1])[::-1], 0, -1)
    matrix = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    return index @ matrix.T + np.array(image.GetOrigin())


def inner_error(image, tcia, depth=6):
    """Mean absolute difference from the anatomy in the liver, away from edges of 10 mm and more."""
    where = points(image)
    inside = np.all([tcia.structures(where + np.array(d))["liver"] for d in np.eye(3) * depth], axis=0)
    flat = np.abs(tcia.anatomy(where + depth) - tcia.anatomy(where - depth)) < 1
    keep = inside & flat
    assert keep.sum() > 1000
    return np.abs(sitk.GetArrayFromImage(image) - tcia.anatomy(where))[keep].mean()


@pytest.mark.parametrize("arrangement", ["plain", "flipped", "sagittal", "tilted", "one missing"])
def test_ct_and_masks_land_at_their_place(writer, tcia, arrangement):
    geometry = {
        "flipped": tcia.axial(flipped=True),
        "sagittal": tcia.sagittal(),
        "tilted": tcia.axial(tilt=15),
    }.get(arrangement, tcia.axial())
    source = writer.ct(geometry, tcia.pixels(geometry), skip=(11,) if arrangement == "one missing" else ())
    writer.seg(source, geometry)
    found, masks = series_of(writer)
    (stack,), reasons = stacks(found["LIVER 3 PHASE AP"])
    assert reasons == [] and stack.axial == (arrangement != "sagittal")
    ct, notes = read_ct(stack)
    assert bool(notes) == (arrangement in ("tilted", "one missing"))
    assert np.linalg.det(np.array(ct.GetDirection()).reshape(3, 3)) == pytest.approx(1, abs=1e-4)
    assert inner_error(ct, tcia) < 14  # noise of 10 HU has a mean absolute value of 8
    structures = structures_on(read_segmentation(masks[0]), ct)
    where = points(ct)
    for name, truth in tcia.structures(where).items():
        mask = sitk.GetArrayFromImage(getattr(structures, name)) > 0
        truth = truth | tcia.structures(where)["tumour"] if name == "liver" else truth
        least = {"liver": 0.95, "tumour": 0.9, "aorta": 0.85, "portal_vein": 0.75}[name]
        assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > least, name


def test_masks_on_another_grid_are_resampled(writer, tcia):
    plain, other = tcia.axial(), tcia.axial(count=32, gap=4.0, shape=(80, 80), spacing=(2.3, 2.3))
    writer.seg(writer.ct(plain, tcia.pixels(plain)), other)
    found, masks = series_of(writer)
    ct, _ = read_ct(stacks(found["LIVER 3 PHASE AP"])[0][0])
    structures = structures_on(read_segmentation(masks[0]), ct)
    assert any("another grid" in note for note in structures.notes)
    truth = tcia.structures(points(ct))["tumour"]
    mask = sitk.GetArrayFromImage(structures.tumour) > 0
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.85


@pytest.mark.parametrize(
    ("shift", "words"), [((0, 0, 60), "lies inside the CT"), ((70, 60, 0), "does not fit|inside the CT")]
)
def test_masks_beside_the_ct_are_refused(writer, tcia, shift, words):
    plain = tcia.axial()
    masks_here = tcia.structures(plain.points())
    elsewhere = tcia.axial()
    elsewhere.positions = elsewhere.positions + np.array(shift, float)
    writer.seg(writer.ct(plain, tcia.pixels(plain)), elsewhere, masks_here)
    found, masks = series_of(writer)
    ct, _ = read_ct(stacks(found["LIVER 3 PHASE AP"])[0][0])
    with pytest.raises(LeftOut, match=words):
        structures_on(read_segmentation(masks[0]), ct)


def test_a_segmentation_without_tumour_or_with_missing_frames_is_refused(writer, tcia):
    plain = tcia.axial()
    source = writer.ct(plain, tcia.pixels(plain))
    writer.seg(source, plain, labels={"liver": "Liver", "aorta": "Abdominal aorta"})
    holes = tcia.structures(plain.points())
    holes["liver"][8:12] = False
    writer.seg(source, plain, holes)
    _, masks = series_of(writer)
    reasons = set()
    for header in masks:
        with pytest.raises(LeftOut) as caught:
            read_segmentation(header)
        reasons.add(str(caught.value))
    assert any("marks no tumour" in r for r in reasons) and any("lack a frame" in r for r in reasons)


def test_series_that_are_no_volume_are_named(writer, tcia):
    plain = tcia.axial()
    hu = tcia.pixels(plain)
    writer.ct(plain, hu, "ONE", kind=("ORIGINAL", "PRIMARY", "LOCALIZER"), skip=range(2, 24))
    writer.ct(plain, hu, "SCOUT VIEW")
    writer.ct(plain, hu, "COR MIP")
    writer.ct(plain, hu, "THICK", kind=("DERIVED", "SECONDARY", "REFORMATTED"))
    writer.ct(plain, hu, "SMARTPREP", skip=range(4, 24))
    writer.ct(plain, hu, "FEW", skip=range(9, 24))
    writer.capture()
    found, _ = series_of(writer)
    assert "localizer" in why_no_volume(found["ONE"]) and "localizer" in why_no_volume(found["SCOUT VIEW"])
    assert "derived" in why_no_volume(found["COR MIP"]) and "derived" in why_no_volume(found["THICK"])
    assert "bolus" in why_no_volume(found["SMARTPREP"]) and "secondary" in why_no_volume(found["Dose Report"])
    assert why_no_volume(found["FEW"]) is None and stacks(found["FEW"]) == ([], ["only 9 slices"])


@pytest.mark.parametrize("by", ["acquisition", "time"])
def test_phases_at_the_same_places_are_told_apart(writer, tcia, by):
    plain = tcia.axial()
    first = writer.ct(plain, tcia.pixels(plain, "arterial"), time="101530")
    number = 2 if by == "acquisition" else 1
    writer.ct(
        plain,
        tcia.pixels(plain),
        series=first[0].SeriesInstanceUID,
        acquisition=number,
        time="101620",
    )
    found, _ = series_of(writer)
    parts, reasons = stacks(found["LIVER 3 PHASE AP"])
    assert reasons == [] and [len(s.headers) for s in parts] == [24, 24]
    aorta = tcia.structures(plain.points())["aorta"]
    medians = [np.median(sitk.GetArrayFromImage(read_ct(s)[0])[aorta]) for s in sorted(parts, key=lambda s: s.time)]
    assert medians == pytest.approx([300, 150], abs=5)


def test_doubles_that_cannot_be_told_apart_are_named(writer, tcia):
    plain = tcia.axial()
    first = writer.ct(plain, tcia.pixels(plain))
    writer.ct(plain, tcia.pixels(plain), series=first[0].SeriesInstanceUID, skip=range(5))
    found, _ = series_of(writer)
    assert stacks(found["LIVER 3 PHASE AP"]) == ([], ["several slices at one place that cannot be told apart"])


def test_a_file_delivered_twice_counts_once(writer, tcia):
    plain = tcia.axial()
    for data in writer.ct(plain, tcia.pixels(plain)):
        (writer.root / f"copy{data.InstanceNumber}").write_bytes(data.filename.read_bytes())
    found, _ = series_of(writer)
    assert len(found["LIVER 3 PHASE AP"].headers) == 24


def test_slices_that_are_no_volume_are_refused():
    planes = [np.zeros((8, 8), np.int16)] * 20
    axes = (1, 0, 0, 0, 1, 0)
    z = np.arange(20) * 5.0
    still = np.stack([0 * z, 0 * z, z], 1)
    with pytest.raises(LeftOut, match="sheared by 45"):
        assemble(planes, still + np.stack([0 * z, z, 0 * z], 1), axes, (1, 1))
    with pytest.raises(LeftOut, match="unevenly"):
        assemble(planes, still + np.stack([3 * (np.arange(20) % 2), 0 * z, 0 * z], 1), axes, (1, 1))
    with pytest.raises(LeftOut, match="gap of 15"):
        assemble(planes[2:], np.delete(still, (7, 8), axis=0), axes, (1, 1))
    with pytest.raises(LeftOut, match="4 of 20 slices are missing"):
        assemble(planes[4:], np.delete(still, (3, 7, 11, 15), axis=0), axes, (1, 1))


def test_uneven_gaps_are_filled_linearly():
    z = np.array([0, 2.5, 5, 7.5, 9, 12.5, 15, 17.5, 20.0])
    planes = [np.full((4, 4), round(10 * v), np.int16) for v in z]
    image, notes = assemble(planes, np.stack([0 * z, 0 * z, z], 1), (1, 0, 0, 0, 1, 0), (1, 1))
    assert "uneven gaps from 1.50 to 3.50" in notes[0]
    assert sitk.GetArrayFromImage(image)[:, 0, 0] == pytest.approx(10 * np.arange(0, 20.1, 2.5), abs=1)


def test_phase_by_vessels(tcia, image):
    plain = tcia.axial()
    masks = {name: image(plain, mask) for name, mask in tcia.structures(plain.points()).items()}
    for phase in tcia.PHASES:
        ct = image(plain, tcia.pixels(plain, phase))
        found = enhancement(ct, masks["aorta"], masks["portal_vein"])
        assert found is not None and found.phase == phase
    assert enhancement(ct, masks["aorta"], None) is None
    away = sitk.TranslationTransform(3, (0.0, 0.0, 500.0))
    assert enhancement(ct, masks["aorta"], masks["portal_vein"], away) is None


@pytest.mark.parametrize(
    ("description", "phase"),
    [
        ("PRE LIVER", "unenhanced"),
        ("LIVER 3 PHASE AP", None),
        ("Recon 2 LIVER 3 PHASE CAP", None),
        ("ABD_PORTAL VENOUS", "portal"),
        ("ARTERIAL", "arterial"),
        ("DELAYED 5MIN", "delayed"),
        ("ART / VEN", None),
    ],
)
def test_phase_by_description(description, phase):
    assert described_phase(description) == phase


@pytest.mark.parametrize(
    ("label", "code", "meaning", "name"),
    [
        ("Liver", "", "", "liver"),
        ("Mass", "", "", "tumour"),
        ("Liver tumor", "10200004", "Liver", "tumour"),
        ("Portal vein", "", "", "portal_vein"),
        ("Segment 4", "7832008", "", "aorta"),
        ("Segment 2", "", "Neoplasm", "tumour"),
        ("Spleen", "78961009", "Spleen", None),
    ],
)
def test_segments_by_label_and_code(label, code, meaning, name):
    assert structure_of(label, code, meaning) == name
