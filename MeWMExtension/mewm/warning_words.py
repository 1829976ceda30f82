"""How the warnings of a run are told to a reader: contraindications first, sources apart."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SOURCED = re.compile(r"(.*?\.) \((.*)\)", re.DOTALL)
_SEVERE = "Absolute contraindication"


def is_severe(warning: str) -> bool:
    """Return whether a warning is an absolute contraindication."""
    return warning.startswith(_SEVERE)


def is_sourced(warning: str) -> bool:
    """Return whether a warning names its source in brackets behind the sentence."""
    return _SOURCED.fullmatch(warning) is not None


def told(warnings: Iterable[str]) -> list[str]:
    """Return warnings without their sources, absolute contraindications first, else in their order."""
    sentences = [(found[1] if (found := _SOURCED.fullmatch(line)) else line) for line in warnings]
    return sorted(sentences, key=lambda sentence: not is_severe(sentence))
