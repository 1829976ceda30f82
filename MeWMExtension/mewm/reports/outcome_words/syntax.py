"""How a clause is cut into parts, and how one goes on with the subject of another."""

from __future__ import annotations

import re

from mewm.reports.outcome_words.pattern import TUMOUR, any_of

# A part with such a word has its own predicate, or shares none.
VERB = any_of(r"was | were | is | are | has | had | could")
OTHERWISE = re.compile(r"\botherwise\b")
# "Three branches were embolized: two were occluded, the third remained open."
ELLIPSIS = re.compile(
    r"(?:^|[:,])\s*(?:one|two|three|four|both|all|the (?:first|second|third|other|others|rest|"
    r"remaining))(?: of \w+)? (?:was|were|is|are|remain\w*|had|became|disap\w+|show\w*)\b"
)
PRONOUN = re.compile(
    r"^(?:and |but |thereafter,? |then,? |afterwards,? |finally,? |eventually,? |(?:after|following|upon|"
    r"with) [^,;]{0,80}?,? ?)?(?:it|they|this|these)\b"
)
PARTS = re.compile(
    r",(?!\d| (?:about |approximately |ca\.? |around |some |roughly |by |only )*\d+ ?%(?! of (?:the |this )?"
    rf"{TUMOUR}))|"
    r"\bn?or\b|\b(?:and|(?<!all )(?<!nothing )but(?! (?:persist|resid|incomplete|partial|not complete|still (?:present|"
    r"visible)))|while|whereas|with|although|though|followed by|(?<!was )(?<!were )then|despite|except)\b|"
    r"(?:(?<=disappeared)|(?<=occluded)|(?<=reduced)|(?<=unchanged)) (?=(?:lipiodol |oil )?deposit)|\s-\s|/(?=\s)"
)
