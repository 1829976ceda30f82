"""When something was seen, and by which examination: before, at the end, on an angiogram, on a CT."""

from __future__ import annotations

import re

from mewm.reports.outcome_words.pattern import any_of

FINAL = any_of(
    r"""
    final\w* | finished | end of | completion | at the end | additional\w* | further | supplement\w* | then | last |
    after\w*
    """
)
# What an angiogram shows, before anything is given, is how the tumour was.
SHOWN = re.compile(r"\b(?:show|found\b|reveal|demonstrat|display|identif|depict|saw\b|seen\b|noted\b)")
# The run of a vessel on the way to the tumour: what it shows before anything was given tells what feeds the tumour.
DIAGNOSTIC = re.compile(
    r"\b(?:diagnostic|initial|baseline|(?:coeliac|celiac|sma|mesenteric|hepatic|phrenic|gastric|splenic|cha|rha|lha)\b.{0,30}"
    r"\b(?:angiogra|arteriogra|dsa|series|run|injection)|"
    r"(?:angiogra\w+|arteriogra\w+|dsa|series|run|injection) (?:of|from|into) the (?:coeliac|celiac|sma|superior|"
    r"common|right|left|inferior))"
)
LATER = re.compile(r"final|post|complet|control|after|repeat|review|re-?exam|follow|again|check|end|last")
EXAMINED = re.compile(r"angiogra|arteriogra|\bdsa\b|\b(?:picture|appearance)\b")
RESULT = re.compile(r"result|outcome|end-?point|completion|final|post-?(?:embol|tace)|control|effect")
SEQUENCE = any_of(
    r"""
    thus | then | finally | eventual\w* | subsequent\w* | until | further | additional\w* | afterwards | thereafter
    """
)
CROSS_SECTION = any_of(r"(?<!cone beam )(?<!cone-beam )ct | mri | mr(?!\.) | follow-?up | computed | magnetic")
ANGIOGRAPHIC = re.compile(r"angio|arteriogra|dsa|completion|\bruns?\b|embol|blush|stain|stasis|tace|inject")
ANGIOGRAPHY = re.compile(r"angio|arterio|dsa|tace\b|emboli[sz]ation|procedure")
PAST = re.compile(r"(?:prior to|before (?:the )?(?:embol|treat|tace)|pre-?(?:embol|treat|tace))")
BOTH_TIMES = re.compile(r"\bbefore (?:and|or|nor) after\b")
AFTERWARDS = any_of(r"after | afterwards | thereafter | post | at the end | finally | now")
# Before one of these words "before treatment" is what the end is compared with.
COMPARED = ("than ", "with ", "to ", "that ", "as ")
