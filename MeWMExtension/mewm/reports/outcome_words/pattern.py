"""Patterns of whole words from a list of alternatives."""

from __future__ import annotations

import re

# Every word for what is treated; "TUMOUR" in the patterns below.
TUMOUR = r"(?:tumou?r|lesion|nodule|mass|hepatoma|hcc|neoplasm|malignancy|satellite)(?:e?s)?"

# A vessel on the way: its occlusion, by a ligament or a clot, is no outcome.
_PARENT_VESSEL = (
    r"(?:coeliac|celiac|superior mesenteric|sma\b|portal|hepatic vein|gastroduodenal|gda\b|splenic|aort|iliac)"
)


def any_of(alternatives: str) -> re.Pattern[str]:
    """Return the pattern of any of the alternatives as whole words, parted by " | "; a line may end behind any bar."""
    alternatives = alternatives.replace("TUMOUR", TUMOUR).replace("PARENT_VESSEL", _PARENT_VESSEL)
    parts = " ".join(alternatives.split()).split(" | ")
    return re.compile(r"\b(?:" + "|".join(parts).replace("| ", "|") + r")\b")
