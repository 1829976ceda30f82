"""One patient of the collection from DICOM files to a case of the cohort."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mewm.actions.text import render_protocol
from mewm.case import Case, make_case
from mewm.cohort.dataset import FACTS, write_image
from mewm.cohort.hcc_tace_seg.clinical_table import ClinicalRow
from mewm.cohort.hcc_tace_seg.coverage import covered
from mewm.cohort.hcc_tace_seg.curation import KEPT, LEFT_OUT, CurationRecord, LeftOut
from mewm.cohort.hcc_tace_seg.headers import Patient
from mewm.cohort.hcc_tace_seg.pairing import pair_studies
from mewm.cohort.hcc_tace_seg.phases import UNENHANCED, enhancement
from mewm.cohort.hcc_tace_seg.registration import Alignment, align
from mewm.cohort.hcc_tace_seg.selection import (
    After,
    Before,
    choose_after,
    choose_before,
    find_segmentation,
    find_source,
)
from mewm.cohort.hcc_tace_seg.treatment import protocol_of
from mewm.diameter import longest_axial_diameter
from mewm.errors import InputError
from mewm.roi import Roi, cut_roi

MIN_LESION_INSIDE = 0.98
"""Share of the target lesion that the follow-up must show."""
MIN_LIVER_INSIDE = 0.7
"""A follow-up that shows less of the liver cannot be aligned with confidence."""


def import_case(patient: Patient, row: ClinicalRow, out: Path, split: str) -> CurationRecord:
    """Write one case's folder, or say why not. A killed run leaves the old folder, the new one, or none.

    Args:
        patient: headers of all its files.
        row: its line of the clinical table.
        out: the dataset folder.
        split: ``"train"``, ``"val"`` or ``"test"``.
    """
    record = CurationRecord(patient.case_id, LEFT_OUT, "", list(row.notes), {"studies": len(patient.studies)})
    record.values["interval_table_weeks"] = row.interval_weeks
    try:
        _import(patient, row, out, split, record)
    except (LeftOut, InputError) as reason:
        record.reason = str(reason)
    else:
        record.status = KEPT
        record.reason = "a pair before and after TACE with masks, protocol and outcome"
    return record


def _import(patient: Patient, row: ClinicalRow, out: Path, split: str, record: CurationRecord) -> None:
    protocol, notes = protocol_of(row.chemotherapy)
    if protocol is None:
        raise LeftOut(notes[0])
    record.notes += notes
    if row.os_weeks is None or row.event is None:
        raise LeftOut("the table does not state survival")
    segmentation, notes = find_segmentation(patient)
    record.notes += notes
    study, sources, notes = find_source(patient, segmentation.reference)
    record.notes += notes
    pair = pair_studies(patient, study, row.interval_weeks)
    record.notes += pair.notes
    record.values["interval_weeks"] = pair.weeks
    before = choose_before(study, sources, segmentation)
    record.notes += before.notes
    after = choose_after(pair.post, before)
    record.notes += after.notes
    alignment = align(before.ct, after.ct, before.structures.liver, before.structures.tumour)
    _note_phases(before, after, alignment, record)
    _note_quality(alignment, record)
    case, roi, post = _cut(before, after, alignment, row)
    record.notes += [w for w in case.warnings if not w.startswith("No liver mask")]
    weeks = pair.weeks if pair.weeks is not None else abs(row.interval_weeks or 0.0) or None
    spacing = roi.spacing
    values = {
        "case_id": patient.case_id,
        "split": split,
        "phase": record.values["pre_phase"],
        "spacing_mm": spacing,
        "lesion_ml": float(roi.lesion.sum()) * spacing**3 / 1000,
        "lesion_diameter_mm": longest_axial_diameter(roi.lesion, spacing),
        **{name: getattr(roi.facts, name) for name in FACTS},
        "protocol": render_protocol(protocol),
        "follow_up_weeks": None if weeks is None else round(weeks, 1),
        "mrecist": row.mrecist,
        "os_weeks": round(row.os_weeks, 2),
        "event": int(row.event),
    }
    extra = {"vascular_invasion": row.vascular_invasion, "note": " | ".join(dict.fromkeys(record.notes))}
    images = {"pre_ct": roi.ct, "post_ct": post, "lesion": roi.lesion, "liver": roi.liver}
    _write(out / "cases" / patient.case_id, images, roi, {**values, **extra})


def _cut(before: Before, after: After, alignment: Alignment, row: ClinicalRow) -> tuple[Case, Roi, np.ndarray]:
    """Return the case, its model grid, and the aligned follow-up on that grid."""
    structures = before.structures
    share = _voxels(structures.tumour) / _voxels(structures.liver)
    facts = replace(row.facts, tumour_burden_percent=round(100 * share, 1))
    case = make_case(before.ct, structures.tumour, liver_image=structures.liver, facts=facts)
    roi = cut_roi(case)
    moved = alignment.resample(after.ct, before.ct)
    seen = covered(after.ct, before.ct, alignment.final)
    inside = sitk.GetArrayViewFromImage(seen)[sitk.GetArrayViewFromImage(case.lesion) > 0].mean()
    if inside < MIN_LESION_INSIDE:
        raise LeftOut(f"only {100 * inside:.0f} % of the target lesion is in the follow-up CT")
    return case, roi, cut_roi(replace(case, ct=moved)).ct


def _note_phases(before: Before, after: After, alignment: Alignment, record: CurationRecord) -> None:
    structures = before.structures
    later = enhancement(after.ct, structures.aorta, structures.portal_vein, alignment.final)
    first = before.vessels.phase if before.vessels else None
    second = later.phase if later else None
    record.values.update(pre_phase=first, post_phase=second)
    if first is None or second is None:
        record.notes.append("the contrast phase cannot be measured, because a vessel is not marked or not shown")
    elif first != second:
        record.notes.append(f"the first CT is in the {first} phase, the follow-up in the {second} phase")
    if first != second and UNENHANCED in (first, second):
        record.values["registration_poor"] = "one of the two CTs has no contrast"


def _note_quality(alignment: Alignment, record: CurationRecord) -> None:
    quality = alignment.quality
    poor = "; ".join(filter(None, (quality.poor, record.values.get("registration_poor"))))
    record.values.update(
        registration=quality.kind,
        registration_poor=poor,
        bend_mm=quality.bend_mm,
        liver_inside_post=quality.inside,
        mutual_information_rigid=quality.mutual_information["rigid"],
        mutual_information_final=quality.mutual_information[quality.kind],
        edge_match_rigid=quality.edge_match["rigid"],
        edge_match_final=quality.edge_match[quality.kind],
        jacobian_min=quality.jacobian[0],
        jacobian_max=quality.jacobian[1],
    )
    if quality.inside < MIN_LIVER_INSIDE:
        raise LeftOut(f"only {100 * quality.inside:.0f} % of the liver is in the follow-up CT")
    if poor:
        record.notes.append(f"poor alignment: {poor}")


def _voxels(mask: sitk.Image) -> int:
    return int(np.count_nonzero(sitk.GetArrayViewFromImage(mask)))


def _write(folder: Path, images: dict[str, np.ndarray], roi: Roi, values: dict[str, object]) -> None:
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, array in images.items():
        stored = array.astype(np.uint8) if array.dtype == bool else np.rint(array).astype(np.int16)
        write_image(stored, roi.spacing, roi.origin, partial / f"{name}.nrrd")
    (partial / "case.json").write_text(json.dumps(values, indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
