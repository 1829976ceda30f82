"""Shares in percent or in words: of what went, of what is left, of what took up oil."""

from __future__ import annotations

import re

# The share that is left, or that went, in words; segment 2/3 is none.
FRACTIONS = (
    (re.compile(r"\b(?:two[- ]thirds|three[- ]quarters|nine[- ]tenths|four[- ]fifths)"), 70),
    (re.compile(r"(?<!segment )(?<!segments )(?<!seg )\b(?:2/3|3/4|4/5)"), 70),
    (re.compile(r"\b(?:one[- ]third|a third|1/3)"), 33),
    (re.compile(r"\b(?:one[- ]quarter|a quarter|1/4|a fifth|one[- ]fifth)"), 20),
    (re.compile(r"\b(?:half|halved|1/2)\b"), 50),
)
OF_THE_VIAL = re.compile(r"of (?:the |a |one )?(?:\w+ )?(?:vials?|syringe|emulsion|dose|mixture|bottle|beads)\b")
DOWN_TO = re.compile(
    r"(?:%|per ?cent) (?:of )?(?:the )?(?:baseline|original|initial|previous|pre-?treatment)|"
    r"\b(?:to|remain\w*|resid\w+|left|still)\b(?: (?:about|around|approximately|some|only|less than|below|under|"
    r"ca\.?|a|roughly|nearly|perfusion|of)\b|\W){0,6}(?:\d|half|one|two|three|third|quarter)"
)
# "Devascularised to 80 %" tells what went.
UP_TO = re.compile(
    r"\b(?:de-?vascular\w+|occluded|emboli[sz]ed|disappeared|gone|extinguished) (?:to|up to) "
    r"(?:about |approximately |some )?\d+ ?(?:%|per ?cent)"
)
PERCENT = re.compile(
    r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?\s*(?:%|per ?cent\b)(?!\s*(?:n-?bca|glucose|dextrose|"
    r"lidocaine|ethanol|alcohol|lipiodol|saline|of (?:the |a |one |this )?(?:\w+ )?"
    r"(?:spleen|dose|emulsion|vials?|syringe|volume|mixture|bottle|material|beads|particles|planned|prepared|drug)))"
)
# Of the tumour by oil; a concentration of Lipiodol is none.
TAKEN_UP = re.compile(
    r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?\s*(?:%|per ?cent\b)(?!\s*(?:n-?bca|glucose|ethanol|alcohol|saline))"
)
