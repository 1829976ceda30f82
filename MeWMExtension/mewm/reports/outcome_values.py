"""The value of one phrase: a level of attenuation, the state of a shunt, the quality of a deposition."""

from __future__ import annotations

from mewm.reports import outcome_words as words


def changes(phrase: str) -> bool:
    """Return whether a phrase says that something went, changed, stayed or is left."""
    said = (words.GONE, words.LESS, words.SAME, words.NOT_SEEN, words.REST, words.ARROWS, words.EXCEPT)
    return any(pattern.search(phrase) for pattern in said)


def level(phrase: str, staining: bool) -> tuple[int | None, bool]:
    """Return the attenuation level a phrase states, and whether it speaks of a residue.

    Args:
        phrase: a part of a clause about staining or supply.
        staining: whether it is about staining.
    """
    phrase = words.HEALTHY.sub("", words.ENDED.sub("", phrase))
    if words.UNTREATED.search(phrase):
        return None, False
    if staining and (sign := words.SIGN.search(phrase)):
        return (1, 2)["+/-" in sign[0] or "±" in sign[0]], False
    if words.NOT_THERE.search(phrase) or words.FAILED.search(phrase):
        return 1, False
    unlike = words.NOT_CHANGED.search(phrase) or words.NOT_REACHED.search(phrase)
    if unlike and not words.NOT_WHOLLY.search(phrase):
        return 1, False
    gone, less = words.GONE.search(phrase), words.LESS.search(phrase)
    rest, same = bool(words.REST.search(phrase)), words.SAME.search(phrase)
    share = _share(phrase, bool(gone or less or words.NOT_SEEN.search(phrase)), rest or bool(same))
    if share is not None:
        return _by_share(share), False
    if arrows := words.ARROWS.search(phrase):
        return (3 if len(arrows[0]) > 1 else 2), False
    near = 3 if words.NEAR.search(phrase) else 4
    if words.NOT_SEEN.search(phrase):
        return near, False
    if denied := words.NO.search(phrase):
        if words.NOT_WHOLLY.search(phrase):
            return 2, False
        if words.NOT_GONE.search(phrase):
            return None, True
        if (
            words.CHANGE.search(phrase[denied.end() :])
            or words.NOT_DONE.search(phrase)
            or words.NOT_LESS.search(phrase)
            or words.NOT_DONE_TO.search(phrase)
        ):
            return 1, False
        if rest or (words.STAIN if staining else words.FLOWING).search(phrase):
            return near, False
        if not staining and not gone and words.NO_FEEDER.search(phrase):
            return near, False
    if gone:
        if words.EXCEPT.search(phrase):
            return 3, False
        if words.SOME_OF.search(phrase) or words.BUT_LEFT.search(phrase):
            return 2, False
        if words.WEAK.search(phrase) and not words.COMPLETE.search(phrase):
            return (3 if words.STRONG.search(phrase) else 2), rest
        left = rest and not (denied or words.NONE.search(phrase) or words.REMAINDER.search(phrase))
        return near, left
    if rest and words.SMALL.search(phrase):
        return 3, False
    if rest and words.SLIGHT_REST.search(phrase) and not words.LESS.search(words.SLIGHT_REST.sub("", phrase)):
        return None, True
    if less:
        strong = (
            words.STRONG.search(words.LESS_THAN_IT_WAS.sub("less", phrase)) or near == 3
        ) and not words.WEAK.search(phrase)
        return (3 if strong else 2), rest
    if words.PARTLY_STAINED.search(phrase):
        return 2, False
    if words.UNTOUCHED.search(phrase):
        return 1, False
    if words.SPARED.search(phrase) and not words.STAIN.search(phrase):
        return None, False
    if (rest or same) and words.SMALL.search(phrase):
        return 3, False
    if (same or words.REMAINED.search(phrase)) and words.SOME.search(phrase):
        return 2, False
    if words.REMAINED.search(phrase) and not words.PART_LEFT.search(phrase):
        return 1, False
    if rest:
        return (2, False) if words.PARTLY.search(phrase) else (None, True)
    if same and not (words.PARENT.search(phrase) and not words.STAIN.search(phrase)):
        return (None, True) if words.WEAK.search(phrase) else (1, False)
    if staining and words.SLIGHT.search(phrase):
        return None, True
    if staining and words.TRACE.match(phrase):
        return 3, False
    if words.DEGREE.search(phrase) and not words.VERB.search(phrase):
        return 2 if words.WEAK.search(phrase) else near, False
    return None, bool(words.EXCEPT.search(phrase))


def _share(phrase: str, went: bool, left: bool) -> int | None:
    """Return the share in percent that went, where the phrase states it or the share that is left."""
    if not (went or left):
        return None
    stated = [int(high or low) for low, high in words.PERCENT.findall(phrase) if 1 <= int(high or low) <= 100]
    if not words.OF_THE_VIAL.search(phrase):
        stated = stated or [percent for pattern, percent in words.FRACTIONS if pattern.search(phrase)]
    if not stated:
        return None
    left_over = words.DOWN_TO.search(phrase) and not words.UP_TO.search(phrase)
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
    denied = words.NO.search(phrase)
    if words.NO_LONGER.search(phrase):
        return "closed"
    if words.FAILED.search(phrase) or "failure to" in phrase:
        return "present"
    if denied and words.CHANGE.search(phrase[denied.end() :]):
        return "present"
    if words.NOT_DONE.search(phrase) or words.NOT_GONE.search(phrase):
        return "present"
    if words.NOT_SEEN.search(phrase) or "(-)" in phrase or "absence of" in phrase or words.NONE.search(phrase):
        return "absent"
    if words.GONE.search(phrase):
        return "reduced" if words.NEAR.search(phrase) or words.WEAK.search(phrase) else "closed"
    if words.LESS.search(phrase) and not denied:
        return "reduced"
    denies = words.SHUNT_DENIED.search(phrase) or "absen" in phrase
    return "absent" if denied and denies and not words.SAME.search(phrase) else "present"


def quality(phrase: str) -> str | None:
    """Return the quality of a deposition of Lipiodol, ``None`` if the phrase states none."""
    shares = [int(high or low) for low, high in words.TAKEN_UP.findall(phrase)]
    if shares:
        return "good" if shares[-1] >= 90 else "moderate" if shares[-1] >= 50 else "poor"
    if words.BAD.search(phrase):
        return "poor"
    if good := words.GOOD.search(phrase):
        return "poor" if words.NO.search(phrase[: good.start()]) else "good"
    if words.FAIR.search(phrase):
        return "moderate"
    return "poor" if words.NO.search(phrase) and words.DEPOSIT.search(phrase) else None
