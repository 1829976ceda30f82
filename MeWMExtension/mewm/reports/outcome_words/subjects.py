"""What a part of a clause is about: staining, supply, a shunt, a deposition of Lipiodol."""

from __future__ import annotations

import re

from mewm.reports.outcome_words.pattern import any_of

STAIN = any_of(
    r"""
    stai?n\w* | blush\w* | (?:tumou?r|lesion) (?:shadow|opacity|response) | opacification |
    tumou?r(?:al|ous)? (?:vasculature|perfusion|enhancement) | vascularity | avascular |
    hyper-?vascular\w* | vasculari[sz](?:ed|ation) |
    neo-?(?:vascul|angiogen)\w* |
    (?:residual|persistent|viable|no|without|arterial) (?:\w+ ){0,2}enhancement |
    enhanc\w+ (?:of|in) (?:the )?TUMOUR | TUMOUR (?:\w+ ){0,3}enhanc\w+ | as (?:hyper)?vascular |
    (?:non[- ]?|un)(?:perfus|enhanc|opacif|stain|fill|vascular|visuali)\w+ |
    (?:residual|remaining|persistent) perfusion |
    (?:residual|persistent|viable) tumou?r(?! ?-?(?:feed|vess|art|suppl|branch)) |
    de-?(?:hyper)?vascular\w* | abnormal (?:tumou?r )?(?:vessels|enhancement) | perfusion of the |
    TUMOUR(?: is| was| are| were)? (?:\w+ ){0,2}perfus\w+ | no longer perfus\w+ |
    (?:rest|residue|remnant|traces?) of (?:the )?contrast |
    fill\w* (?:of )?(?:the )?tumou?r | contrast (?:uptake|filling|enhancement) | uptake of contrast |
    tumou?r(?:al)? contrast | contrast (?:in|of|within) the TUMOUR | tak\w+ up (?:\w+ )?contrast |
    TUMOUR (?:\w+ ){0,3}(?:without|free of) (?:any )?contrast |
    TUMOUR (?:(?:was|is|were|are|did|does|do|could) )?(?:\w+ )?(?:no longer|not|fail\w* to)
    (?:be )?(?:\w+ )?(?:demonstr|visib|seen|opacif|visual|detect|fill|stain|depict|show|evident|apparent|recogni|
    suppl)\w* |
    cr (?:on|by|at|in) (?:dsa|angio\w*) | (?:angiographic|partial|complete|incomplete) (?:\w+ )?(?:cr|pr|sd|response)
    """
)
SUPPLY = any_of(
    r"""
    feed\w* |
    (?:tumou?r(?:al|ous)?|hepatoma|hcc|lesional|nodular|abnormal|pathologic\w*|neoplastic|target|segmental|subsegmental|supplying|lateral|medial|
    nutri\w+|nourishing)[ -](?:\w+ )?(?:arter\w+|vessels?|branch\w*|one|vasculature|inflow|circulation) |
    branch(?:es)? | blood (?:supply|flow|vessels) | (?:arter\w+|vessels?) (?:that )?(?:suppl|feed|nourish)\w* |
    suppl(?:y|ying) (?:arter\w+|vessels?) | (?:vascular|nutrient) supply | circulation |
    (?:arter\w+|vessels?|branch\w*) (?:of|to|in) (?:the )?TUMOUR |
    (?:antegrade|arterial|forward) (?:in)?flow | (?:in)?flow |
    (?:sub|near-?)?stasis | stagnat\w* | static | (?:near|near-complete|incomplete) occlusion |
    occlusion (?:was|is) | (?:occlusion|blockage) of(?! (?:the )?PARENT_VESSEL) | occlusion complete |
    (?:to|until|complete|total|subtotal|partial|vessel|vascular|arterial|incomplete|thorough)
    (?:occlusion|emboli[sz]ation)(?! of (?:the )?PARENT_VESSEL) |
    \d+ ?% (?:reduction|decrease|disappearance)(?! (?:of|in) (?:the )?dose) |
    TUMOUR (?:was|were|is|are) (?:\w+ly )?emboli[sz]ed |
    occlusion (?:complete|incomplete|partial|subtotal) | emboli[sz]ation (?:was|is) (?:in)?complete\w* |
    (?:tumou?r|arterial) supply | supply from | end-?points? | embolic effect
    """
)
SHUNT = any_of(
    r"""
    (?<!portosystemic )shunt\w* | fistul\w* | a-?v-?f | a-?p-?f | a-?p-?s |
    a-?v-?s(?: ?malformation)? |
    early (?:\w+ ){0,2}(?:of )?(?:the )?(?:portal|hepatic) vein\w* | early (?:draining|venous|portal) \w+
    """
)
DEPOSIT = re.compile(
    r"\b(?:deposit\w*|(?<!contrast )uptake(?! of contrast)|accumul\w+|retention|retained|coverage|"
    r"lipiodol(?:isation|ization)|distribut\w+|"
    r"stain\w* well|well[- ]stained|tak(?:en?|es) up(?! (?:\w+ )?contrast)|took up(?! (?:\w+ )?contrast)|"
    r"storage|stored|enrichment|"
    r"covered (?:by|with) (?:the )?(?:lipiodol|oil|iodi))\w*|"
    r"\b(?:lipiodol|iodi[sz]ed oil|oil|emulsion) (?:\w+ly )?(?:stain(?:ing)?\b|filling|fill(?:s|ed)|cover(?:s|ed)|"
    r"is dense|was dense)"
)
DEPOSITED = re.compile(r"\bdeposi\w+|\baccumulat\w+|(?<!contrast )\buptake\b(?! of contrast)|\bretention\b")
# Vessels of no stated use: what happened to them tells the level where the report says nothing else.
_SHUT = r"(?:oc+luded|blocked|truncated|closed|plugged|interrupted|cut off)"
VESSELS = re.compile(
    rf"\b(?:arter(?:y|ies)|vessels?|vasculature)\b.*\b{_SHUT}\b|\b{_SHUT} (?:\w+ )?(?:arter(?:y|ies)|vessels?)\b"
)
OTHER_VESSELS = re.compile(
    r"gastro|\bgda\b|gastric|cystic|splen|femoral|radial|puncture|access|portal|vein|venous|closure|mesenteric|"
    r"spasm|dissect|cathet|cannul|coil|sheath|aort|mammary|phrenic|intercostal|thromb|inject|infus|select|previous|chronic|known|coeliac|celiac"
)
OIL = re.compile(r"lip[io]+dol|lipo?iodol|oil\b|ethiod|\blip\b|tumou?r|lesion|target|nodule|mass")
# A clause without one of these speaks of none of the four: one look instead of many.
TOPIC = re.compile(
    r"stai?n|blush|shadow|opaci|vascul|perfus|enhanc|angiogen|viable|abnormal|respon|fill|feed|branch|blood|suppl|"
    r"nutri|nourish|circul|flow|stasis|stagn|static|occlu|block|(?:complete|total|partial|vessel|arterial|to|"
    r"until) emboli[sz]|end-?point|effect|arter|vessel|target|shunt|fistul|av[fs -]|ap[fs -]|a-[vp]|early|depos|"
    r"uptake|accumul|retention|retained|coverage|distribut|took up|taken up|takes? up|cover|"
    r"storage|stored|enrichment|saturat|contrast|nothing|thorough|\d ?%|"
    r"per ?cent|opacif|angiogra|arteriogra|dsa|sace|picture|appearance|"
    r"no longer|emboli[sz]ed|emboli[sz]ation (?:was|is)|demonstr|"
    r"(?:tumou?r|lesion|nodule|mass|hepatoma|hcc).* (?:not|fail|as) "
)
FILLED = re.compile(r"\b(?:fill|saturat)\w* (?:of )?(?:the )?(?:\w+ )?(?:with|by) (?:the )?(?:lip|iodi|oil|emulsion)")
FLOWING = re.compile(r"\b(?:in)?flow\b|opacif")
PARENT = any_of(
    r"""
    trunk | main | lobar | parent | proper | common | portal | (?:right|left|middle) hepatic art\w+ | non-?target |
    normal |     parenchym\w+
    """
)
# A parent vessel that is open as it should be.
SPARED = re.compile(
    r"\b(?:trunk|main|parent|proper|common|portal|non-?target|parenchym\w+|(?:right|left|middle) hepatic)\b.*"
    r"\b(?:normal|patent|preserved|intact|open|unobstructed|spared)\b"
)
# "Particles were used to close the shunt, with success."
SHUT_SHUNT = re.compile(
    r"(?:\bto (?:close|occlude|seal|block|plug|shut|obliterate|emboli[sz]e)\b[^;]{0,30}\b(?:shunt|fistul)|"
    r"\b(?:shunt|fistula) (?:closure|occlusion|emboli[sz]ation)\b)[^;]*"
    r"\b(?<!without )(?:with success|success(?:ful(?:ly)?)?)\b"
)
# Of a shunt: "persisted, but with less flow".
LESS_FLOW = re.compile(
    r"^\W*(?:(?:but|yet|although|though|with|at|an?|has|had|the) )*"
    r"(?:less|lower|reduced|slower|diminished|weaker|decreased|smaller) "
    r"(?:\w+ )?(?:flow|inflow|volume|calib|size|intens|extent)"
)
