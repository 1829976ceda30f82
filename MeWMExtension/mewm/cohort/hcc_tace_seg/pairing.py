"""Which examination came before TACE and which after it."""

from __future__ import annotations

from dataclasses import dataclass

from mewm.cohort.hcc_tace_seg.curation import LeftOut
from mewm.cohort.hcc_tace_seg.headers import Patient, Study

FAR_WEEKS = 4.0
"""A follow-up interval that differs more than this from the clinical table is pointed out."""


@dataclass(frozen=True)
class Pair:
    """The examinations of one patient around TACE.

    Attributes:
        pre: examination before TACE.
        post: examination after it.
        weeks: time between them; ``None`` where the files state no dates.
        notes: doubts.
    """

    pre: Study
    post: Study
    weeks: float | None
    notes: tuple[str, ...]


def pair_studies(patient: Patient, pre: Study, table_weeks: float | None) -> Pair:
    """Choose the follow-up of a patient.

    TCIA shifts all dates of a patient by the same number of days, so intervals are true. Of several later
    examinations the one whose interval fits ``Interval_FU`` of the clinical table best is the follow-up; without
    it, the first one.

    Args:
        patient: all examinations.
        pre: the one that the segmentation was drawn on.
        table_weeks: ``Interval_FU`` in weeks; its sign varies in the table, so its size counts.

    Raises:
        LeftOut: no later examination with CT.
    """
    others = [s for uid, s in sorted(patient.studies.items()) if s is not pre and s.of("CT")]
    if not others:
        raise LeftOut("no CT examination after TACE was found (not delivered, or a partial download)")
    notes = []
    if pre.date is None or any(s.date is None for s in others):
        if len(others) > 1:
            raise LeftOut("the examinations state no dates, so the one after TACE cannot be told")
        notes.append("the examinations state no dates; the one without segmentation is taken as the follow-up")
        return Pair(pre, others[0], None, tuple(notes))
    weeks = {s.uid: (s.date - pre.date).days / 7.0 for s in others if s.date is not None}
    later = [s for s in others if weeks[s.uid] > 0]
    if not later:
        raise LeftOut("no CT examination later than the segmented one was found")
    if table_weeks is None:
        post = min(later, key=lambda s: weeks[s.uid])
        if len(later) > 1:
            notes.append(f"the first of {len(later)} later examinations is taken; the table states no interval")
    else:
        wanted = abs(table_weeks)
        post = min(later, key=lambda s: abs(weeks[s.uid] - wanted))
        if abs(weeks[post.uid] - wanted) > FAR_WEEKS:
            notes.append(
                f"the follow-up is {weeks[post.uid]:.1f} weeks after the first CT, the clinical table says {wanted:.1f}"
            )
    return Pair(pre, post, weeks[post.uid], tuple(notes))
