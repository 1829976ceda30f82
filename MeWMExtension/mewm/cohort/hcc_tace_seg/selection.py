"""Which series and acquisition shows the patient before and after TACE."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk

from mewm.cohort.hcc_tace_seg.curation import LeftOut
from mewm.cohort.hcc_tace_seg.headers import Patient, Series, Study
from mewm.cohort.hcc_tace_seg.phases import Enhancement, described_phase, enhancement
from mewm.cohort.hcc_tace_seg.registration import align_rigidly
from mewm.cohort.hcc_tace_seg.segmentation import Reference, Segmentation, Structures, read_segmentation, structures_on
from mewm.cohort.hcc_tace_seg.series import CT_IMAGE, Stack, stacks, why_no_volume
from mewm.cohort.hcc_tace_seg.volume import read_ct

LIKE_HU = 20.0
"""Volumes whose vessels differ by less show the same moment; then slice distance and description decide."""


@dataclass(frozen=True, eq=False)
class Before:
    """The first CT with its structures.

    Attributes:
        study, stack: where it comes from.
        ct: Hounsfield units.
        structures: masks on its grid.
        vessels: density of aorta and portal vein; ``None`` where they are not marked.
        notes: repairs and choices.
    """

    study: Study
    stack: Stack
    ct: sitk.Image
    structures: Structures
    vessels: Enhancement | None
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class After:
    """The follow-up CT; ``notes`` tells repairs and guesses."""

    stack: Stack
    ct: sitk.Image
    notes: tuple[str, ...]


def find_segmentation(patient: Patient) -> tuple[Segmentation, tuple[str, ...]]:
    """Return the first usable segmentation of a patient.

    Raises:
        LeftOut: there is none.
    """
    reasons = []
    files = [
        header
        for _, study in sorted(patient.studies.items())
        for series in study.of("SEG")
        for _, header in sorted(series.headers.items())
    ]
    if not files:
        raise LeftOut("no segmentation was found (not delivered for this patient, or a partial download)")
    usable = []
    for header in files:
        try:
            usable.append(read_segmentation(header))
        except LeftOut as reason:
            reasons.append(str(reason))
    if not usable:
        raise LeftOut("; ".join(dict.fromkeys(reasons)))
    uids = {uid for study in patient.studies.values() for uid in study.series}
    usable.sort(key=lambda s: not (s.reference.series & uids))
    notes = (f"the first usable of {len(files)} segmentations is taken",) if len(files) > 1 else ()
    return usable[0], notes


def find_source(patient: Patient, reference: Reference) -> tuple[Study, list[Series], tuple[str, ...]]:
    """Return the CT series that a segmentation was drawn on, with its study.

    Named by its series, else by its slices, else by the frame of reference; whether the masks truly fit is checked
    later, on the voxels.

    Raises:
        LeftOut: it is not in the download.
    """
    series = [(study, s) for _, study in sorted(patient.studies.items()) for s in study.of("CT")]
    named = [(study, s) for study, s in series if s.uid in reference.series]
    if named:
        return named[0][0], [s for _, s in named], ()
    sliced = [(study, s) for study, s in series if reference.slices & s.headers.keys()]
    if sliced:
        return sliced[0][0], [s for _, s in sliced], ("the first CT was found by the slices that the masks name",)
    if reference.frame_of_reference:
        framed = [
            (study, s)
            for study, s in series
            if why_no_volume(s) is None
            and any(h.frame_of_reference == reference.frame_of_reference for h in s.headers.values())
        ]
        if framed:
            note = "the CT that the segmentation names was not delivered; another one of the same scan is taken"
            return framed[0][0], [s for _, s in framed], (note,)
    raise LeftOut("the CT that the segmentation was drawn on is not in the download (partial download?)")


def choose_before(study: Study, sources: list[Series], segmentation: Segmentation) -> Before:
    """Choose the acquisition of the segmented series: its masks must fit, and portal venous comes first.

    A series of this collection can hold several contrast phases at the same places, and its segmentation does not
    say which one it was drawn on.

    Raises:
        LeftOut: the masks fit none.
    """
    reasons: list[str] = []
    found: list[Before] = []
    for series in sources:
        if any(h.sop_class != CT_IMAGE for h in series.headers.values()):
            reasons.append("the segmented series holds no plain CT images")
            continue
        parts, why = stacks(series)
        reasons += [f"the segmented series has {reason}" for reason in why]
        for stack in parts:
            try:
                ct, notes = read_ct(stack)
                structures = structures_on(segmentation, ct)
            except LeftOut as reason:
                reasons.append(str(reason))
                continue
            vessels = enhancement(ct, structures.aorta, structures.portal_vein)
            kept = tuple(f"first CT: {note}" for note in notes) + structures.notes
            found.append(Before(study, stack, ct, structures, vessels, kept))
    if not found:
        raise LeftOut("; ".join(dict.fromkeys(reasons)) or "the segmented series holds no volume")
    best = min(found, key=_portal_first)
    if len(found) > 1:
        how = "by its vessels" if best.vessels else "by its time"
        note = f"the segmented series holds {len(found)} acquisitions; the most portal venous one {how} is taken"
        best = Before(best.study, best.stack, best.ct, best.structures, best.vessels, (*best.notes, note))
    return best


def choose_after(study: Study, before: Before) -> After:
    """Choose the follow-up volume in the phase of the first CT.

    The vessels' masks are carried over by a rigid alignment, because the descriptions of this collection rarely
    name a phase.

    Raises:
        LeftOut: the follow-up holds no usable volume.
    """
    candidates, reasons = _candidates(study)
    volumes: list[tuple[Stack, sitk.Image, list[str]]] = []
    for stack in candidates:
        try:
            ct, notes = read_ct(stack)
        except LeftOut as reason:
            reasons.append(str(reason))
        else:
            volumes.append((stack, ct, [f"follow-up: {note}" for note in notes]))
    if not volumes:
        raise LeftOut("the follow-up holds no usable CT: " + "; ".join(dict.fromkeys(reasons or ["no series"])))
    if not any(stack.axial for stack, _, _ in volumes):
        volumes[0][2].append("the follow-up has no axial series; another orientation is taken")
    if len(volumes) == 1:
        return After(volumes[0][0], volumes[0][1], tuple(volumes[0][2]))
    measured = _measured([(stack, ct) for stack, ct, _ in volumes], before)
    keys = [_likeness(stack, vessels, before) for (stack, _, _), vessels in zip(volumes, measured, strict=True)]
    stack, ct, notes = volumes[keys.index(min(keys))]
    if not any(measured):
        notes.append("the follow-up's phase is a guess from descriptions and times")
    return After(stack, ct, tuple(notes))


def _portal_first(before: Before) -> tuple[float, float]:
    vessels = before.vessels
    if vessels is None:
        return (0.0, -(before.stack.time or 0.0))
    return (float(vessels.phase != "portal"), vessels.aorta - vessels.portal_vein)


def _candidates(study: Study) -> tuple[list[Stack], list[str]]:
    found: list[Stack] = []
    reasons: list[str] = []
    for series in study.of("CT"):
        why = why_no_volume(series)
        parts, more = stacks(series) if why is None else ([], [why])
        found += parts
        reasons += more
    axial = [stack for stack in found if stack.axial]
    return axial or found, reasons


def _measured(volumes: list[tuple[Stack, sitk.Image]], before: Before) -> list[Enhancement | None]:
    """Measure every volume's vessels; volumes of one frame of reference share one rigid alignment."""
    structures = before.structures
    if before.vessels is None:
        return [None] * len(volumes)
    transforms: dict[str, sitk.Transform | None] = {}
    found: list[Enhancement | None] = []
    for stack, ct in volumes:
        frame = stack.frame_of_reference or stack.series.uid
        if frame not in transforms:
            try:
                transforms[frame] = align_rigidly(before.ct, ct, structures.liver)[0]
            except LeftOut:
                transforms[frame] = None
        transform = transforms[frame]
        found.append(
            None if transform is None else enhancement(ct, structures.aorta, structures.portal_vein, transform)
        )
    return found


def _likeness(stack: Stack, vessels: Enhancement | None, before: Before) -> tuple[float, ...]:
    """Return a key that is smallest for the volume most like the first CT."""
    if vessels is not None and before.vessels is not None:
        apart = round(vessels.difference(before.vessels) / LIKE_HU)
    else:
        phases = described_phase(stack.series.description), described_phase(before.stack.series.description)
        apart = 500 if phases[0] == "unenhanced" else 100 * (phases[0] != phases[1])
    other_name = stack.series.description.casefold() != before.stack.series.description.casefold()
    return (apart, abs(stack.gap_mm - before.stack.gap_mm), other_name, -(stack.time or 0.0))
