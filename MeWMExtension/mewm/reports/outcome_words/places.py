"""Side, segment or vessel of which a statement speaks."""

from __future__ import annotations

import re

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
