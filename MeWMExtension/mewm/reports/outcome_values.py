"""The value of one phrase: a level of attenuation, the state of a shunt, the quality of a deposition."""

from __future__ import annotations

from mewm.reports.outcome_words import degrees, negations, percentages, qualities, subjects, syntax


def changes(phrase: str) -> bool:
    """Return whether a phrase says that something went, changed, stayed or is left."""
    said = (degrees.GONE, degrees.LESS, degrees.SAME, degrees.NOT_SEEN, degrees.REST, degrees.ARROWS, degrees.EXCEPT)
    return any(pattern.search(phrase) for pattern in said)


def level(phrase: str, staining: bool) -> tuple[int | None, bool]:
    """Return the attenuation level a phrase states, and whether it speaks of a residue.

    Args:
        phrase: a part of a clause about staining or supply.
        staining: whether it is about staining.
    """
    phrase = degrees.HEALTHY.sub("", negations.ENDED.sub("", phrase))
    if negations.UNTREATED.search(phrase):
        return None, False
    if staining and (sign := degrees.SIGN.search(phrase)):
        return (1, 2)["+/-" in sign[0] or "±" in sign[0]], False
    if negations.NOT_THERE.search(phrase) or negations.FAILED.search(phrase):
        return 1, False
    unlike = negations.NOT_CHANGED.search(phrase) or negations.NOT_REACHED.search(phrase)
    if unlike and not negations.NOT_WHOLLY.search(phrase):
        return 1, False
    gone, less = degrees.GONE.search(phrase), degrees.LESS.search(phrase)
    rest, same = bool(degrees.REST.search(phrase)), degrees.SAME.search(phrase)
    share = _share(phrase, bool(gone or less or degrees.NOT_SEEN.search(phrase)), rest or bool(same))
    if share is not None:
        return _by_share(share), False
    if arrows := degrees.ARROWS.search(phrase):
        return (3 if len(arrows[0]) > 1 else 2), False
    near = 3 if degrees.NEAR.search(phrase) else 4
    if degrees.NOT_SEEN.search(phrase):
        return near, False
    if denied := negations.NO.search(phrase):
        if negations.NOT_WHOLLY.search(phrase):
            return 2, False
        if negations.NOT_GONE.search(phrase):
            return None, True
        if (
            degrees.CHANGE.search(phrase[denied.end() :])
            or negations.NOT_DONE.search(phrase)
            or negations.NOT_LESS.search(phrase)
            or negations.NOT_DONE_TO.search(phrase)
        ):
            return 1, False
        if rest or (subjects.STAIN if staining else subjects.FLOWING).search(phrase):
            return near, False
        if not staining and not gone and negations.NO_FEEDER.search(phrase):
            return near, False
    if gone:
        if degrees.EXCEPT.search(phrase):
            return 3, False
        if degrees.SOME_OF.search(phrase) or degrees.BUT_LEFT.search(phrase):
            return 2, False
        if degrees.WEAK.search(phrase) and not degrees.COMPLETE.search(phrase):
            return (3 if degrees.STRONG.search(phrase) else 2), rest
        left = rest and not (denied or negations.NONE.search(phrase) or degrees.REMAINDER.search(phrase))
        return near, left
    if rest and degrees.SMALL.search(phrase):
        return 3, False
    if rest and degrees.SLIGHT_REST.search(phrase) and not degrees.LESS.search(degrees.SLIGHT_REST.sub("", phrase)):
        return None, True
    if less:
        strong = (
            degrees.STRONG.search(degrees.LESS_THAN_IT_WAS.sub("less", phrase)) or near == 3
        ) and not degrees.WEAK.search(phrase)
        return (3 if strong else 2), rest
    if degrees.PARTLY_STAINED.search(phrase):
        return 2, False
    if degrees.UNTOUCHED.search(phrase):
        return 1, False
    if subjects.SPARED.search(phrase) and not subjects.STAIN.search(phrase):
        return None, False
    if (rest or same) and degrees.SMALL.search(phrase):
        return 3, False
    if (same or degrees.REMAINED.search(phrase)) and degrees.SOME.search(phrase):
        return 2, False
    if degrees.REMAINED.search(phrase) and not degrees.PART_LEFT.search(phrase):
        return 1, False
    if rest:
        return (2, False) if degrees.PARTLY.search(phrase) else (None, True)
    if same and not (subjects.PARENT.search(phrase) and not subjects.STAIN.search(phrase)):
        return (None, True) if degrees.WEAK.search(phrase) else (1, False)
    if staining and degrees.SLIGHT.search(phrase):
        return None, True
    if staining and degrees.TRACE.match(phrase):
        return 3, False
    if degrees.DEGREE.search(phrase) and not syntax.VERB.search(phrase):
        return 2 if degrees.WEAK.search(phrase) else near, False
    return None, bool(degrees.EXCEPT.search(phrase))


def _share(phrase: str, went: bool, left: bool) -> int | None:
    """Return the share in percent that went, where the phrase states it or the share that is left."""
    if not (went or left):
        return None
    stated = [int(high or low) for low, high in percentages.PERCENT.findall(phrase) if 1 <= int(high or low) <= 100]
    if not percentages.OF_THE_VIAL.search(phrase):
        stated = stated or [percent for pattern, percent in percentages.FRACTIONS if pattern.search(phrase)]
    if not stated:
        return None
    left_over = percentages.DOWN_TO.search(phrase) and not percentages.UP_TO.search(phrase)
    return 100 - stated[-1] if left_over or not went else stated[-1]


def _by_share(percent: int) -> int:
    return 4 if percent == 100 else 3 if percent >= 70 else 2 if percent >= 10 else 1


def worst(levels: list[int], residual: bool) -> int | None:
    """Return the level of several parts of the tumour: the least, or partial where one part is untouched."""
    if not levels:
        return 2 if residual else None
    if min(levels) == 1 and max(levels) > 1:
        return 2
    return min(*levels, 3) if residual else min(levels)


def state(phrase: str) -> str:
    """Return the state of a shunt: ``"absent"``, ``"present"``, ``"reduced"`` or ``"closed"``."""
    denied = negations.NO.search(phrase)
    if negations.NO_LONGER.search(phrase):
        return "closed"
    if negations.FAILED.search(phrase) or "failure to" in phrase:
        return "present"
    if denied and degrees.CHANGE.search(phrase[denied.end() :]):
        return "present"
    if negations.NOT_DONE.search(phrase) or negations.NOT_GONE.search(phrase):
        return "present"
    if degrees.NOT_SEEN.search(phrase) or "(-)" in phrase or "absence of" in phrase or negations.NONE.search(phrase):
        return "absent"
    if degrees.GONE.search(phrase):
        return "reduced" if degrees.NEAR.search(phrase) or degrees.WEAK.search(phrase) else "closed"
    if degrees.LESS.search(phrase) and not denied:
        return "reduced"
    denies = negations.SHUNT_DENIED.search(phrase) or "absen" in phrase
    return "absent" if denied and denies and not degrees.SAME.search(phrase) else "present"


def quality(phrase: str) -> str | None:
    """Return the quality of a deposition of Lipiodol, ``None`` if the phrase states none."""
    shares = [int(high or low) for low, high in percentages.TAKEN_UP.findall(phrase)]
    if shares:
        return "good" if shares[-1] >= 90 else "moderate" if shares[-1] >= 50 else "poor"
    if qualities.BAD.search(phrase):
        return "poor"
    if good := qualities.GOOD.search(phrase):
        return "poor" if negations.NO.search(phrase[: good.start()]) else "good"
    if qualities.FAIR.search(phrase):
        return "moderate"
    return "poor" if negations.NO.search(phrase) and subjects.DEPOSIT.search(phrase) else None
