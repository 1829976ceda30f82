"""How much went, changed, stayed or is left."""

from __future__ import annotations

import re

from mewm.reports.outcome_words.pattern import any_of

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
NEAR = any_of(
    r"""
    most\w* | greater part | bulk of | near\w* | almost | basic\w* | largely | majority | sub-?total\w* |
    essentially | virtually |
    substasis | sub-stasis | predominantly | practically | very little | next to no | nearly-complete | all but |
    hardly | scarcely | barely | only just |
    for the most part | generally | by and large
    """
)
LESS = any_of(
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
STRONG = any_of(
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
WEAK = any_of(
    r"""
    partial\w* | partly | in part | slight\w* | lightly | weakly | moderate\w* | somewhat | mild\w* | a little |
    a bit | minor |
    minimal\w* | incomplet\w+ | half | some extent | certain extent | part of | subtle | modest\w* | faint\w* |
    small | tiny | few | only a
    """
)
SAME = any_of(
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
CHANGE = any_of(
    r"""
    chang\w+ | reduc\w+ | decre\w+ | diminish\w* | improv\w+ | effect\w* | response | difference | oc+lu\w+ |
    alter\w+ | weak\w+ | prun\w+ | block\w+ | regress\w+ | affect\w+
    """
)
REST = any_of(
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
# "Staining: slight", "slight staining": some is left, and not much.
SLIGHT = re.compile(
    r"\b(?:stai?n|blush)\w*\W+(?:was |is |only |very )*(?:slight|faint|weak|mild|minimal|pale|light)\b|"
    r"\b(?:stai?n|blush)\w* (?:was |is |still )*(?:slightly|faintly|weakly|minimally) (?:visible|seen|present)|"
    r"\b(?:slight|faint|weak|mild|minimal|little|light|some) (?:residual |tumou?r(?:al)? )*(?:stai?n|blush)"
)
# As a predicate of its own: "staining remained", not "remained in part" nor "residual staining remained".
REMAINED = re.compile(r"\bremain(?:s|ed)\b")
PART_LEFT = any_of(
    r"""
    moderate\w* | resid\w+ | remaining | remnant | rest | in part | part(?:ly|ial\w*)? | some | small | few |
    little | slight\w* | mild\w* | faint\w* | weak\w* | minimal\w* | only | margin\w* | peripher\w+ | focal\w* |
    edge | rim | portion | area | areas
    """
)
# So little is left that the rest counts as gone, unlike "faint" or "slight" staining, which may be everywhere.
SMALL = any_of(
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
SLIGHT_REST = any_of(
    r"""
    (?:slight\w* | faint\w* | weak\w* | minimal\w* | minor | tiny | traces? | mild\w* | discreet | discrete)
    (?:\w+ )?(?:resid\w+ | rest | remnant\w* | left | remain\w*) |
    (?:resid\w+ | remaining) (?:slight | faint | weak | minimal | minor | tiny | mild)
    """
)
EXCEPT = any_of(
    r"except | all but | save (?:for|a|an|one|two|the|some) | apart from | aside from | other than | but for"
)
# Of several branches or nodules that went, not all: "two of three feeders".
SOME_OF = re.compile(
    r"\b(one|two|three|four|\d)(?: out)? (?:of|/) (?:the )?(two|three|four|five|six|\d)\b(?! ?%)|\bonly (?:one|two)\b"
)
# What stays open is only some of it, or nearly all of it is left.
SOME = any_of(r"some | several | certain | a few | part of | one of | most of | majority of")
# "The mass was partly stained."
PARTLY_STAINED = re.compile(
    r"\b(?:part(?:ly|ially)|in part|somewhat|(?:slight|faint|weak)ly) "
    r"(?:stain|perfus|enhanc|opacif|vasculari|suppli|fed)\w*"
)
PARTLY = any_of(r"partial\w* | partly | in part")
UNTOUCHED = re.compile(
    r"\b(?:remain\w*|stay\w*|left) (?:\w+ )?(?:hypervascular|unchanged|patent|open|similar|the same|unoccluded)|"
    r"\bnormal (?:antegrade |arterial |forward )*flow\b|\bcontinu\w+ to\b"
)
ARROWS = re.compile(r"↓+")
# "Disappeared on the right but persisted on the left."
BUT_LEFT = re.compile(r"\bbut (?:\w+ )?(?:persist|remain|still|present|visible)")
SIGN = re.compile(r"\((?:±|\+/-|\+)\)(?!.*\(-\))")
# The liver that was not treated is no rest of the tumour.
HEALTHY = re.compile(r"\b(?:rest|remainder) of (?:the )?(?:\w+ )?(?:liver|lobe|parenchyma|organ)\b|\bremaining liver\b")
REMAINDER = re.compile(r"\b(?:rest|remainder|remaining part) of\b")
# "Less marked" is no marked reduction.
LESS_THAN_IT_WAS = re.compile(r"\bless \w+")
COMPLETE = re.compile(r"\bcomplete\w*\b")
SACE = re.compile(r"\bsace\b[^;.]{0,25}?\b(iv|iii|ii|i|[1-4])\b")
SACE_LEVEL = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "1": 1, "2": 2, "3": 3, "4": 4}
