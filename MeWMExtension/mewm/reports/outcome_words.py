"""The words in which reports tell what angiography showed, for :mod:`mewm.reports.outcome`."""

from __future__ import annotations

import re

STAIN = re.compile(
    r"\b(?:stain\w*|staning|blush\w*|(?:tumou?r|lesion) shadow|"
    r"opacification|tumou?r(?:al|ous)? (?:vascularity|perfusion|"
    r"enhancement|opacity|response)|"
    r"vascularity|hypervascular\w*|vasculari[sz]ed|neovascular\w*|residual (?:tumou?r )?enhancement|"
    r"devascular\w*|abnormal vessels|"
    r"fills? the tumou?r|(?:angiographic|partial|complete|incomplete) (?:cr|pr|sd|response))\b"
)
SUPPLY = re.compile(
    r"\b(?:feed\w*|feeders?|(?:tumou?r|abnormal|pathologic\w*|neoplastic|target|segmental|"
    r"subsegmental|supplying|lateral|medial)"
    r"[ -](?:\w+ )?(?:arter\w+|vessels?|branch\w*|one)|tumou?r vessels|blood (?:supply|flow)|"
    r"(?:antegrade|arterial|forward) flow|"
    r"flow|stasis|stagnat\w*|static|"
    r"occlusion of|blockage of|"
    r"(?:to|until|complete|total|subtotal|partial|vessel|vascular|arterial) (?:occlusion|emboli[sz]ation)|"
    r"endpoint|end-point|embolic effect)\b"
)
SHUNT = re.compile(
    r"\b(?:shunt\w*|fistul\w*|a-?v-?f|a-?p-?f|a-?p-?s|a-?v-?s(?: ?malformation)?|"
    r"early (?:\w+ ){0,2}(?:of )?(?:the )?(?:portal|hepatic) vein\w*|"
    r"early (?:draining|venous|portal) \w+)\b"
)
DEPOSIT = re.compile(
    r"\b(?:deposit\w*|uptake|accumul\w+|retention|retained|coverage|lipiodol(?:isation|ization)|distribut\w+|"
    r"stain\w* well|well[- ]stained)\b"
    r"|\b(?:lipiodol|iodi[sz]ed oil|oil) (?:staining|filling|filled|is dense|was dense)"
)
DEPOSITED = re.compile(r"\bdeposi\w+|\buptake\b|\bretention\b")
OIL = re.compile(r"lip[io]+dol|lipo?iodol|oil\b|ethiod|\blip\b|tumou?r|lesion|target|nodule|mass")

GOOD = re.compile(
    r"\b(?:satisf\w+|good|well|dense(?:ly)?|complet\w+|compact\w*|excellent|homogen\w+|full\w*|"
    r"intense\w*|adequate\w*|ideal|perfect\w*|strong\w*|great)\b"
)
FAIR = re.compile(r"\b(?:moderate\w*|acceptable|fair\w*|average|medium|general|partial\w*|so-so|reasonabl\w+)\b")
BAD = re.compile(
    r"\b(?:insufficien\w+|poor\w*|patch\w+|incomplet\w+|sparse\w*|unsatisf\w+|scant\w*|weak\w*|"
    r"inadequate\w*|faint\w*|uneven|little|low|thin\w*|minimal\w*|limited|heterogen\w+)\b"
)
NO = re.compile(
    r"\b(?:no|not|without|never|nor|neither|absen\w+|n't|free of|lack of|negative for|hardly|scarcely|barely)\b"
)

GONE = re.compile(
    r"\b(?:disap+ear\w*|vanish\w*|gone|absent|absence|eliminat\w+|obliterat\w+|oc+lu\w+|block\w+|"
    r"stasis|static|stagnat\w+|devascular\w+|"
    r"ceas\w+|interrupt\w+|resol\w+|invisible|abolish\w+|extinguish\w+|"
    r"erad\w+|cut[ -]?off|loss|none(?: left)?|thrombosed|stopped|truncat\w+|arrest\w*|subsid\w+|avascular|"
    r"(?:complete\w*|incomplete\w*|partial\w*|partly|full\w*|total\w*|subtotal\w*|entirely|mostly|"
    r"nearly) emboli[sz]\w+|"
    r"emboli[sz]ed (?:complete\w*|incomplete\w*|partial\w*|partly|fully|totally|entirely)|complete response|cr|"
    r"shut ?down|shut off|closed|closure|sealed|lost|cleared)\b|\(-\)|"
    r"\(\s*-\s*\)|\bnegative\b"
)
NEAR = re.compile(
    r"\b(?:most\w*|near\w*|almost|basically|largely|majority|subtotal\w*|essentially|virtually|"
    r"predominantly|practically|nearly-complete|all but|hardly|scarcely|barely)\b"
)
LESS = re.compile(
    r"\b(?:reduc\w+|decreas\w+|diminish\w*|less(?:en\w*)?|weak\w*|improv\w+|faint\w*|fad(?:e|ed|es|ing)|sluggish|"
    r"slow\w*|prun\w+|attenuat\w+|thinn\w+|"
    r"lighte\w+|dimm\w+|alleviat\w+|relie\w+|partial response|half as|halved|declin\w+|drop\w*|lower\w*|"
    r"sparse\w*|regress\w*)\b"
)
STRONG = re.compile(
    r"\b(?:marked\w*|significant\w*|obvious\w*|substantial\w*|great\w*|dramatic\w*|considerabl\w+|"
    r"much|strong\w*|notabl\w+|remarkabl\w+|sluggish|evident\w*|severe\w*|profound\w*|clearly|"
    r"pronounced|well)\b"
)
WEAK = re.compile(
    r"\b(?:partial\w*|partly|slight\w*|moderate\w*|somewhat|mild\w*|a little|minor|minimal\w*|a bit|"
    r"incomplet\w+|half)\b"
)
SAME = re.compile(
    r"\b(?:unchanged|unaltered|same as before|identical|persist\w*|still|patent|fail\w*|unaffected|"
    r"stable|remain\w*(?= (?:present|visible|patent|open|unchanged|similar))|continu\w+ to)\b"
)
CHANGE = re.compile(
    r"\b(?:chang\w+|reduc\w+|decreas\w+|diminish\w*|improv\w+|effect|response|difference|occlu\w+|alter\w+)\b"
)
REST = re.compile(
    r"\b(?:residual|remaining|remnant|remain\w*|rest|(?:partly|partially|some|little|few|was|still) left)\b"
)
NOT_SEEN = re.compile(
    r"\bno longer\b|\bnot? (?:\w+ ){0,2}(?:seen|visible|visuali[sz]ed|detected|observed|identified|"
    r"demonstrated|apparent|shown|noted|opacified)\b"
)
PERCENT = re.compile(
    r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?\s*%(?!\s*(?:n-?bca|glucose|dextrose|"
    r"lidocaine|ethanol|alcohol|lipiodol|saline|of the "
    r"(?:spleen|dose|emulsion)))"
)
PARTLY = re.compile(r"\b(?:partial\w*|partly)\b")
EXAMINED = re.compile(r"angiogra|arteriogra|\bdsa\b")
NO_CHANGE = re.compile(r"\bno (?:\w+ )?(?:change|improvement|effect|reduction|difference)|\bunchanged\b")
UNTOUCHED = re.compile(r"\bremain\w* (?:\w+ )?(?:hypervascular|unchanged|patent|similar|the same)")
ARROWS = re.compile(r"↓+")
NOT_WHOLLY = re.compile(r"\bnot (?:completely|fully|entirely|totally|yet)\b")
NOT_GONE = re.compile(r"\b(?:not|n't|never)\b.*\b(?:disappear\w*|vanish\w*|go|resolve\w*)\b")
NOT_DONE = re.compile(r"\b(?:not|n't|never)\b.*\b(?:occlu\w*|be|clos\w*|emboli\w*)\b")
FLOWING = re.compile(r"\bflow\b|opacif")
COMPLETE = re.compile(r"\bcomplete\w*\b")
NO_LONGER = re.compile(r"\bno longer\b|\bnot? (?:\w+ )?(?:more|further)\b")
PRONOUN = re.compile(
    r"^(?:and |but |thereafter,? |then,? |afterwards,? |finally,? |eventually,? )?(?:it|they|this|these)\b"
)
RESULT = re.compile(r"result|outcome|end-?point|completion|final|post-?(?:embol|tace)|control|effect")
PARENT = re.compile(
    r"\b(?:trunk|main|parent|proper|common|portal|(?:right|left|middle) hepatic art\w+|"
    r"non-?target|normal|parenchym\w+)\b"
)
SACE = re.compile(r"\bsace\b[^;.]{0,25}?\b(iv|iii|ii|i|[1-4])\b")
SACE_LEVEL = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "1": 1, "2": 2, "3": 3, "4": 4}
SEQUENCE = re.compile(
    r"\b(?:thus|then|finally|eventual\w*|subsequent\w*|until|further|additional\w*|afterwards|thereafter)\b"
)
PARTS = re.compile(
    r",(?!\d)|\b(?:and|but|while|whereas|with|although|though|followed by|then|despite|except)\b|\s-\s|/(?=\s)"
)
CROSS_SECTION = re.compile(r"\b(?:ct|mri|mr|follow-?up|computed|magnetic)\b")
ANGIOGRAPHIC = re.compile(r"angio|arteriogra|dsa|embol|blush|stain|stasis|tace|inject")
ANGIOGRAPHY = re.compile(r"angio|arterio|dsa|tace\b|emboli[sz]ation|procedure")
PAST = re.compile(r"\b(?:prior to|before (?:embol|treat|tace)|pre-?(?:embol|treat|tace))")
