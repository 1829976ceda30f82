"""The words in which reports tell what angiography showed, for :mod:`mewm.reports.outcome`; for text in lower case."""

from __future__ import annotations

import re

# Every word for what is treated; "TUMOUR" in the patterns below.
_TUMOUR = r"(?:tumou?r|lesion|nodule|mass|hepatoma|hcc|neoplasm|malignancy|satellite)(?:e?s)?"

# A vessel on the way: its occlusion, by a ligament or a clot, is no outcome.
_PARENT_VESSEL = (
    r"(?:coeliac|celiac|superior mesenteric|sma\b|portal|hepatic vein|gastroduodenal|gda\b|splenic|aort|iliac)"
)


def _any(alternatives: str) -> re.Pattern[str]:
    """Return the pattern of any of the alternatives as whole words, parted by " | "; a line may end behind any bar."""
    alternatives = alternatives.replace("TUMOUR", _TUMOUR).replace("PARENT_VESSEL", _PARENT_VESSEL)
    parts = " ".join(alternatives.split()).split(" | ")
    return re.compile(r"\b(?:" + "|".join(parts).replace("| ", "|") + r")\b")


STAIN = _any(
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
SUPPLY = _any(
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
SHUNT = _any(
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
GOOD = _any(
    r"""
    satisf\w+ | good | well | dense(?:ly)? | complet\w+ | compact\w* | excellent | homogen\w+ | full\w* |
    uniform\w* | intense\w* | whole | entire\w* | throughout | adequate\w* | ideal | perfect\w* | saturated |
    strong\w* | great
    """
)
FAIR = _any(
    r"""
    in part | partly | moderate\w* | acceptable | fair\w* | average | medium | general | partial\w* | so-so |
    reasonabl\w+
    """
)
BAD = _any(
    r"""
    insufficien\w+ | poor\w* | patch\w+ | incomplet\w+ | sparse\w* | unsatisf\w+ | scant\w* | weak\w* |
    inadequate\w* | faint\w* | uneven | little | low | thin\w* | minimal\w* | limited |
    (?:heter|inhom)ogen\w+ | irregular\w* | spotty
    """
)
NO = _any(
    r"""
    no | not | without | never | nor | neither | absen\w+ | n't | free of | devoid of | lack\w*(?: of)? |
    negative for | hardly | very little | next to no |
    scarcely | barely | little(?= (?:change|effect|reduction|improvement|difference|response))
    """
)

GONE = re.compile(
    r"\b(?:dis+a?p+\w*ar\w*|disap\w+|vanish\w*|gone|absent|absence|eliminat\w+|obliterat\w+|oc+u?lu\w+|"
    r"obstruct\w+|block\w+|emboli[sz]ation (?:was|is) (?:in)?complete\w*|"
    r"(?:sub-?|near-?)?stasis|static|stagna\w+|de-?(?:hyper)?vascular\w+|plugged|ceas\w+|"
    r"cessation|interrupt\w+|resol\w+|invisible|abolish\w+|abolition|extin\w+|erad\w+|cut[ -]?off|loss|"
    r"none(?: left)?|thrombosed|stop\w*|halt\w*|stand-?still|stump\w*|truncat\w+|arrest\w*|subsid\w+|avascular|"
    r"(?:complete\w*|incomplete\w*|partial\w*|partly|full\w*|total\w*|subtotal\w*|entirely|mostly|successfully|"
    r"nearly) emboli[sz]\w+|emboli[sz]ed (?:complete\w*|incomplete\w*|partial\w*|partly|fully|totally|entirely|"
    r"successfully)|complete (?:\w+ )?response|cr|shut ?down|shut off|shut|closed|closure|sealed|lost|cleared|"
    r"(?:most|majority)\b[^,;]* emboli[sz]ed|stood still|stands? still|"
    r"c[ao]me to rest|thorough\w* emboli[sz]\w+|silent|"
    r"(?:stai?n\w*|blush)\W+0|(?:was|were|is|are|completely) cut|zero|nil|undetect\w+|unseen|"
    r"(?:in)?complete\w* (?:removed|ablated)|(?:removal|ablation) of|ablated|erased|grade 0|tied off|amputated|"
    r"went away|(?:fully|complete\w*|total\w*|entirely) (?:suppress|inhibit|clear|remov)\w+|"
    r"(?:non[- ]?|un)(?:perfus|enhanc|opacif|stain|fill|visuali)\w+|"
    r"imperceptib\w+|exclud\w+|exclusion|wiped out|destroyed|clogged|deprived|"
    r"tree in winter|pruned[- ]tree|(?:without|free of) (?:any )?contrast)\b|\(-\)|\(\s*-\s*\)|\bnegative\b|: ?-\s*$"
)
NEAR = _any(
    r"""
    most\w* | greater part | bulk of | near\w* | almost | basic\w* | largely | majority | sub-?total\w* |
    essentially | virtually |
    substasis | sub-stasis | predominantly | practically | very little | next to no | nearly-complete | all but |
    hardly | scarcely | barely | only just |
    for the most part | generally | by and large
    """
)
LESS = _any(
    r"""
    reduc\w+ | decre\w+ | diminish\w* | diminution | less(?:en\w*)?(?! than \d) | fewer | smaller | weak\w* |
    improv\w+ | sparser | reced\w+ | abat\w+ | wan(?:e|ed|ing) | blunted | softened | thinned out |
    faint\w* | fad(?:e|ed|es|ing) | sluggish |
    slow(?!(?:ly)? (?:inject|infus|deliver|given|admin|push|perfus|bolus|hand))\w* |
    prun\w+ | attenuat\w+ | thinn\w+ | thinn?er | narrow\w* |
    pale\w* | paling | shr[iau]nk\w* | minimi[sz]ed | light(?:e\w+)? | dimm\w+ | alleviat\w+ | relie\w+ |
    partial (?:\w+ )?response | half as | halved | declin\w+ | drop\w* | lower\w* | scarce\w* | sparse\w* |
    regress\w* |
    rarefi\w+ | down to | suppress\w* | impair\w* | curtail\w*
    """
)
STRONG = _any(
    r"""
    marked\w* | sign[if]+c\w* | obv\w+ | substantial\w* | great\w* | dramatic\w* | drastic\w* | considerabl\w+ |
    much | strong\w* | notabl\w+ | noticeabl\w+ | remarkabl\w+ | very (?:sluggish|slow) | evident\w* |
    severe\w* | profound\w* |
    major(?! (?:feed|vess|branch|arter|trunk|portal)) | strik\w+ | impressiv\w+ | massiv\w+ | extensiv\w+ | sharply |
    enormous\w* | clearly | vast\w* | pronounced | well | to a minimum | minimi[sz]ed | prominent\w* | distinct\w* |
    apparent\w* |
    almost
    """
)
WEAK = _any(
    r"""
    partial\w* | partly | in part | slight\w* | lightly | weakly | moderate\w* | somewhat | mild\w* | a little |
    a bit | minor |
    minimal\w* | incomplet\w+ | half | some extent | certain extent | part of | subtle | modest\w* | faint\w* |
    small | tiny | few | only a
    """
)
SAME = _any(
    r"""
    unchanged | unaltered | same as before | the same | identical | persist\w* | still | patent | fail\w* |
    as (?:at|in|on) (?:the )?(?:beginning|start|outset|baseline|first|initial\w*) |
    as (?:it|they) (?:did|was|were|had) |
    unaffected | untouched | equal\w* | comparable | ineffective | to no avail | without success | without effect |
    as \w+ as (?:before|previously|at baseline|initially) |
    similar to (?:that |those |the (?:stain|blush)\w* )?before |
    preserv\w+ | maintain\w+ | stable | as before | without change | unreduced | unobstructed |
    remain\w*(?= (?:\w+ )?(?:present|visible|patent|open|unchanged|similar|unoccluded)) | continu\w+ to | continued |
    partial\w* (?:present|visible) | ongoing | undiminished | brisk | as (?:strong|intense|much|dense) as
    """
)
CHANGE = _any(
    r"""
    chang\w+ | reduc\w+ | decre\w+ | diminish\w* | improv\w+ | effect\w* | response | difference | oc+lu\w+ |
    alter\w+ | weak\w+ | prun\w+ | block\w+ | regress\w+ | affect\w+
    """
)
REST = _any(
    r"""
    resid\w+ | remaining | remnant\w* | remain\w* | rest |
    (?:branch\w*|feeders?|vessels?|rim|area|stain\w*|blush) left |
    (?:partly|partially|slightly|faintly|weakly|barely|some|little|few|was|is|still) left |
    (?:hint|traces?|whisper|wisp|whiff|ghost|touch|suggestion) of
    (?:\w+ )?(?:stain|blush|contrast|enhanc|perfus|vascular)\w*
    """
)
NOT_SEEN = re.compile(
    r"\bno longer\b|\b(?:not?|without|hardly|barely|scarcely|only just) (?:\w+ ){0,2}(?:seen|visible|visuali[sz]ed|"
    r"detect\w+|found|observed|identified|discern\w+|demonstr\w+|apparent|suppli\w+|shown|noted|displayed|depicted|recogni\w+|"
    r"evident|made out|opacif\w+|fill\w*|enhanc\w*|perfus\w*|stain(?:s|ed)?)\b|"
    r"\bfail\w* to (?:opacif|fill|enhanc|stain|show)\w*|\bnothing\b[^,;]{0,40}\b(?:remain\w*|left|seen|visible)\b"
)
# So little is left that the rest counts as gone, unlike "faint" or "slight" staining, which may be everywhere.
# "Staining: slight", "slight staining": some is left, and not much.
SLIGHT = re.compile(
    r"\b(?:stai?n|blush)\w*\W+(?:was |is |only |very )*(?:slight|faint|weak|mild|minimal|pale|light)\b|"
    r"\b(?:stai?n|blush)\w* (?:was |is |still )*(?:slightly|faintly|weakly|minimally) (?:visible|seen|present)|"
    r"\b(?:slight|faint|weak|mild|minimal|little|light|some) (?:residual |tumou?r(?:al)? )*(?:stai?n|blush)"
)
# As a predicate of its own: "staining remained", not "remained in part" nor "residual staining remained".
REMAINED = re.compile(r"\bremain(?:s|ed)\b")
PART_LEFT = _any(
    r"""
    moderate\w* | resid\w+ | remaining | remnant | rest | in part | part(?:ly|ial\w*)? | some | small | few |
    little | slight\w* | mild\w* | faint\w* | weak\w* | minimal\w* | only | margin\w* | peripher\w+ | focal\w* |
    edge | rim | portion | area | areas
    """
)
NO_FEEDER = re.compile(
    r"\b(?:no|without)(?: \w+){0,3} (?:tumou?r[- ]feeding|(?:tumou?r|abnormal|hepatoma) vessels|blood supply|"
    r"circulation|(?:arterial|vascular|tumou?r) supply|"
    r"feed\w+)(?!.*\bfrom\b)"
)
FAILED = re.compile(r"\bfail\w* (?:to|of)\b(?! (?:opacif|fill|enhanc|stain|show))|\bunable to\b|\bunsuccessful\w*")
FILLED = re.compile(r"\b(?:fill|saturat)\w* (?:of )?(?:the )?(?:\w+ )?(?:with|by) (?:the )?(?:lip|iodi|oil|emulsion)")
SMALL = _any(
    r"""
    minimal | tiny | (?:faint|thin|narrow|slight) rim | minute | few | trace | traces | punctate | negligible |
    scanty | little | hint | suggestion | wisp | whiff | whisper | ghost |
    (?:only|merely|just|nothing but|nothing more than)
    (?:an? |some |the )?(?:very )?(?:faint|slight|weak|mild|subtle|marginal) (?:rest|residu\w+|remnant\w*|remains) |
    minor (?:\w+ )?(?:stain|blush|enhanc|rest|residu|remnant|part)\w* |
    small (?:area|amount|part|portion|patch|spot|rim|focus|residu\w+|remnant|nodule|branch)\w* |
    (?:one|single|slender|thin) (?:\w+ )?(?:branch|feeder|vessel|twig) | only a small | only minimal
    """
)
# A part with such a word has its own predicate, or shares none.
VERB = _any(r"was | were | is | are | has | had | could")
# The degree alone, where the subject stands before: "in segment 6 almost total".
DEGREE = re.compile(
    r"\b(?:total|complet\w+|sub-?total|near-?complete|incomplet\w+|partial\w*|partly|in part|fully)"
    r"(?: (?:effect|result|response|success))?\W*$|\b(?:nearly|almost) so\W*$"
)
# The degree of what is left, said of the staining named before: "marked before, trace only after".
TRACE = re.compile(
    r"^\W*(?:(?:and|now|then|only|mere(?:ly)?|just|an?|some|finally|at the end|post|after\w*|faint|slight|tiny) )*"
    r"(?:traces?|hint|whiff|wisp|whisper|suggestion|minimal|negligible|very little)\b"
)
# So little that it counts as a small rest of a tumour that is gone elsewhere.
SLIGHT_REST = _any(
    r"""
    (?:slight\w* | faint\w* | weak\w* | minimal\w* | minor | tiny | traces? | mild\w* | discreet | discrete)
    (?:\w+ )?(?:resid\w+ | rest | remnant\w* | left | remain\w*) |
    (?:resid\w+ | remaining) (?:slight | faint | weak | minimal | minor | tiny | mild)
    """
)
OTHERWISE = re.compile(r"\botherwise\b")
# "The blush disappeared in S2, not in S8."
NOT_THERE = re.compile(r"^\W*not (?:in|at|of|for) ")
# "Three branches were embolized: two were occluded, the third remained open."
ELLIPSIS = re.compile(
    r"(?:^|[:,])\s*(?:one|two|three|four|both|all|the (?:first|second|third|other|others|rest|"
    r"remaining))(?: of \w+)? (?:was|were|is|are|remain\w*|had|became|disap\w+|show\w*)\b"
)
EXCEPT = _any(r"except | all but | save (?:for|a|an|one|two|the|some) | apart from | aside from | other than | but for")
# Of several branches or nodules that went, not all: "two of three feeders".
SOME_OF = re.compile(
    r"\b(one|two|three|four|\d)(?: out)? (?:of|/) (?:the )?(two|three|four|five|six|\d)\b(?! ?%)|\bonly (?:one|two)\b"
)
# What stays open is only some of it, or nearly all of it is left.
SOME = _any(r"some | several | certain | a few | part of | one of | most of | majority of")
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
# Side, segment or vessel of which a statement speaks.
WHERE = re.compile(
    r"\b(?:(?:s(?:eg(?:ments?|\.)? ?)?|a)-?(?:\d|i{1,3}v?|iv|vi{0,3})[ab]?\b|right|"
    # "Some staining left" names no side.
    r"(?<!stain )(?<!staining )(?<!blush )(?<!enhancement )(?<!little )(?<!some )"
    r"(?<!is )(?<!was )(?<!are )(?<!were )(?<!tly )(?<!kly )left|middle|caudate|phrenic|omental|"
    r"(?<!right )(?<!left )(?<!middle )hepatic art|"
    r"(?:tumou?r|lesion|nodule|target|branch|feeder|vessel) (?:no\.? ?|#)?(?:\d|[abc]|one|two|three)\b|"
    r"r(?:ha|ipa)\b|l(?:ha|ipa)\b|mha\b|"
    r"collateral\w*|extrahepatic|the rest|gastric|mammary|intercostal|upper|lower|anterior|posterior|medial|"
    r"lateral|first|second|third|other|peripher\w+)"
)
# A clause about a place: "in segment 8 it is unchanged"; a heading that names one: "Segment 7: 50 mg to stasis."
HERE = re.compile(rf"^(?:(?:in|on|at|from|of|the) )*{WHERE.pattern}")
HEAD = re.compile(rf"^(?:(?:in|on|at|the|to) )*{WHERE.pattern}[^:;,.]{{0,30}}:(?! ?\d+:)")
NONE = re.compile(r"\b(?:none|nil)\b(?! left)|: ?no\b")
SHUNT_DENIED = re.compile(
    r"\b(?:no|nor|neither|without|free of|lack of|negative for|never)\b"
    r"(?:(?!\b(?:was|were|is|are|because|due|owing|view|for)\b)[^.;]){0,60}?\b(?:shunt|fistul|a-?v|a-?p|early)"
    r"|\b(?:shunt|fistul|a-?v|a-?p|early)[^,;]{0,80}(?:\bno(?:ne|t)?\b|n't)"
)
FINAL = _any(
    r"""
    final\w* | finished | end of | completion | at the end | additional\w* | further | supplement\w* | then | last |
    after\w*
    """
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
# "The mass was partly stained."
PARTLY_STAINED = re.compile(
    r"\b(?:part(?:ly|ially)|in part|somewhat|(?:slight|faint|weak)ly) "
    r"(?:stain|perfus|enhanc|opacif|vasculari|suppli|fed)\w*"
)
PARTLY = _any(r"partial\w* | partly | in part")
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
NO_CHANGE = re.compile(
    r"\bidentical\b|\bthe same\b|\bno (?:\w+ )?(?:change|improvement|effect|reduction|difference)|\bunchanged\b"
)
UNTOUCHED = re.compile(
    r"\b(?:remain\w*|stay\w*|left) (?:\w+ )?(?:hypervascular|unchanged|patent|open|similar|the same|unoccluded)|"
    r"\bnormal (?:antegrade |arterial |forward )*flow\b|\bcontinu\w+ to\b"
)
ARROWS = re.compile(r"↓+")
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
# "Disappeared on the right but persisted on the left."
BUT_LEFT = re.compile(r"\bbut (?:\w+ )?(?:persist|remain|still|present|visible)")
# What ended is the work, not the flow.
ENDED = re.compile(
    r"\b(?:emboli[sz]ation|injection|infusion|procedure|treatment) (?:was |had to be )?(?:stopped|halted|terminated|"
    r"discontinued|interrupted|ended)\b"
)
SIGN = re.compile(r"\((?:±|\+/-|\+)\)(?!.*\(-\))")
# The liver that was not treated is no rest of the tumour.
HEALTHY = re.compile(r"\b(?:rest|remainder) of (?:the )?(?:\w+ )?(?:liver|lobe|parenchyma|organ)\b|\bremaining liver\b")
# What nobody tried is no failure.
UNTREATED = re.compile(r"\bnot (?:treated|reach\w*|targeted|accessible)\b|\buntreated\b")
REMAINDER = re.compile(r"\b(?:rest|remainder|remaining part) of\b")
# "Less marked" is no marked reduction.
LESS_THAN_IT_WAS = re.compile(r"\bless \w+")
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
FLOWING = re.compile(r"\b(?:in)?flow\b|opacif")
COMPLETE = re.compile(r"\bcomplete\w*\b")
NO_LONGER = re.compile(
    r"\bno longer\b|\bnot? (?:\w+ )?(?:more|further)\b|\bnot\b[^,;]{0,80}\b"
    r"(?:any ?more|any longer|afterwards|thereafter)\b"
)
PRONOUN = re.compile(
    r"^(?:and |but |thereafter,? |then,? |afterwards,? |finally,? |eventually,? |(?:after|following|upon|"
    r"with) [^,;]{0,80}?,? ?)?(?:it|they|this|these)\b"
)
RESULT = re.compile(r"result|outcome|end-?point|completion|final|post-?(?:embol|tace)|control|effect")
PARENT = _any(
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
SACE = re.compile(r"\bsace\b[^;.]{0,25}?\b(iv|iii|ii|i|[1-4])\b")
SACE_LEVEL = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "1": 1, "2": 2, "3": 3, "4": 4}
SEQUENCE = _any(
    r"""
    thus | then | finally | eventual\w* | subsequent\w* | until | further | additional\w* | afterwards | thereafter
    """
)
PARTS = re.compile(
    r",(?!\d| (?:about |approximately |ca\.? |around |some |roughly |by |only )*\d+ ?%(?! of (?:the |this )?"
    rf"{_TUMOUR}))|"
    r"\bn?or\b|\b(?:and|(?<!all )(?<!nothing )but(?! (?:persist|resid|incomplete|partial|not complete|still (?:present|"
    r"visible)))|while|whereas|with|although|though|followed by|(?<!was )(?<!were )then|despite|except)\b|"
    r"(?:(?<=disappeared)|(?<=occluded)|(?<=reduced)|(?<=unchanged)) (?=(?:lipiodol |oil )?deposit)|\s-\s|/(?=\s)"
)
CROSS_SECTION = _any(r"(?<!cone beam )(?<!cone-beam )ct | mri | mr(?!\.) | follow-?up | computed | magnetic")
ANGIOGRAPHIC = re.compile(r"angio|arteriogra|dsa|completion|\bruns?\b|embol|blush|stain|stasis|tace|inject")
ANGIOGRAPHY = re.compile(r"angio|arterio|dsa|tace\b|emboli[sz]ation|procedure")
PAST = re.compile(r"(?:prior to|before (?:the )?(?:embol|treat|tace)|pre-?(?:embol|treat|tace))")
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
BOTH_TIMES = re.compile(r"\bbefore (?:and|or|nor) after\b")
AFTERWARDS = _any(r"after | afterwards | thereafter | post | at the end | finally | now")
# Before one of these words "before treatment" is what the end is compared with.
COMPARED = ("than ", "with ", "to ", "that ", "as ")
