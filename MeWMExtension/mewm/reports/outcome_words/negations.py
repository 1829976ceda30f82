"""What was denied, failed or was not tried."""

from __future__ import annotations

import re

from mewm.reports.outcome_words.pattern import any_of

NO = any_of(
    r"""
    no | not | without | never | nor | neither | absen\w+ | n't | free of | devoid of | lack\w*(?: of)? |
    negative for | hardly | very little | next to no |
    scarcely | barely | little(?= (?:change|effect|reduction|improvement|difference|response))
    """
)
NO_FEEDER = re.compile(
    r"\b(?:no|without)(?: \w+){0,3} (?:tumou?r[- ]feeding|(?:tumou?r|abnormal|hepatoma) vessels|blood supply|"
    r"circulation|(?:arterial|vascular|tumou?r) supply|"
    r"feed\w+)(?!.*\bfrom\b)"
)
FAILED = re.compile(r"\bfail\w* (?:to|of)\b(?! (?:opacif|fill|enhanc|stain|show))|\bunable to\b|\bunsuccessful\w*")
# "The blush disappeared in S2, not in S8."
NOT_THERE = re.compile(r"^\W*not (?:in|at|of|for) ")
NONE = re.compile(r"\b(?:none|nil)\b(?! left)|: ?no\b")
SHUNT_DENIED = re.compile(
    r"\b(?:no|nor|neither|without|free of|lack of|negative for|never)\b"
    r"(?:(?!\b(?:was|were|is|are|because|due|owing|view|for)\b)[^.;]){0,60}?\b(?:shunt|fistul|a-?v|a-?p|early)"
    r"|\b(?:shunt|fistul|a-?v|a-?p|early)[^,;]{0,80}(?:\bno(?:ne|t)?\b|n't)"
)
NO_CHANGE = re.compile(
    r"\bidentical\b|\bthe same\b|\bno (?:\w+ )?(?:change|improvement|effect|reduction|difference)|\bunchanged\b"
)
# "No evident change", "not influenced", "hardly reduced": what is denied is the change.
NOT_CHANGED = re.compile(
    r"\b(?:no|not|without|n't|never|hardly|little|scarcely|barely) (?:\w+ ){0,2}(?:chang|reduc|decre|dimin|improv|"
    r"effect|difference|alter|weaken|regress|affect|influenc|impact|lessen|impair|suppress|attenuat)|"
    r"\beffect\b[^,;]{0,40}\b(?:nil|none|absent)\b"
)
# "Not" before a participle that tells of no seeing.
NOT_DONE_TO = re.compile(r"\bnot (?:\w+ly )?(?!marked|pronounced|interest)\w{3,}(?:ed|wn|ven)\b")
NOT_REACHED = re.compile(
    r"\b(?:no|not|without|never) (?:\w+ ){0,1}(?:stasis|occlusion|occluded|devascul\w*|stagnation|embolic effect)\b"
)
# What ended is the work, not the flow.
ENDED = re.compile(
    r"\b(?:emboli[sz]ation|injection|infusion|procedure|treatment) (?:was |had to be )?(?:stopped|halted|terminated|"
    r"discontinued|interrupted|ended)\b"
)
# What nobody tried is no failure.
UNTREATED = re.compile(r"\bnot (?:treated|reach\w*|targeted|accessible)\b|\buntreated\b")
NOT_LESS = re.compile(
    r"\b(?:not|n't|never)\b.*\b(?:reduc|decre|dimin|less|weak|fad|faint|slow|pal|shr|light|drop|declin)"
)
NOT_WHOLLY = re.compile(
    r"\bnot (?:be |been )?(?:complete\w*|fully|entirely|totally|yet)\b|"
    r"\bcomplete\b[^,;]{0,80}\bnot (?:achieved|obtained|reached|"
    r"possible)"
)
NOT_GONE = re.compile(r"\b(?:not|n't|never)\b.*\b(?:dis+a?p\w+|vanish\w*|go|resolve\w*)\b")
NOT_DONE = re.compile(
    r"\b(?:not|n't|never)\b(?:(?!\b(?:as|because|since|for)\b).){0,120}\b(?:occlu\w*|be|clos\w*|emboli\w*)\b"
)
NO_LONGER = re.compile(
    r"\bno longer\b|\bnot? (?:\w+ )?(?:more|further)\b|\bnot\b[^,;]{0,80}\b"
    r"(?:any ?more|any longer|afterwards|thereafter)\b"
)
