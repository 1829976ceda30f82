"""What in a free text could name a patient: names, dates, record numbers, addresses to reach someone.

A word list and patterns, no language model: the text is judged before it may leave the machine. Doubt counts
as a finding where a name stands beside the words that introduce one; clinical vocabulary, eponyms, agents and
doses are known and pass. It lowers the risk of a slip, it does not replace the look at what is sent.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from mewm.actions.base import load_action_base
from mewm.errors import InputError
from mewm.policy.name_words import ADDRESSED_AS, CLINICAL_NAMES, CLINICAL_WORDS, GIVEN_NAMES, NOT_NAMES, SURNAMES

_MONTHS = (
    r"(?:jan(?:uary|uar)?|feb(?:ruary|ruar)?|m(?:ar(?:ch)?|ärz|aerz|är)|apr(?:il)?|ma[yi]|june?|juni|july?|juli|aug(?:ust)?|"
    r"sep(?:t(?:ember)?)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)"
)
_BORN = (
    r"(?:born(?:\s+(?:on|in))?|d\.?o\.?b\.?|date\s+of\s+birth|birth\s*da(?:te|y)|geb(?:oren|\.)?(?:\s+am)?|"
    r"n[ée]e?\s+le)"
)
_UNIT = r"(?:ng|µg|ug|mg|g|ml|l|mm|cm|µm|um|%|hu)\b"
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("a date of birth", rf"\b{_BORN}[\s:]*(?:\d[\d./-]*\d|\d{{4}})|出生[^\s,.;]{{0,12}}"),
        ("a date", r"(?<![\d./-])(?:0?[1-9]|[12]\d|3[01])([./-])(?:0?[1-9]|1[0-2])\1(?:19|20)\d\d(?![\d/-])"),
        ("a date", r"(?<![\d./-])(?:0?[1-9]|1[0-2])([/-])(?:0?[1-9]|[12]\d|3[01])\1(?:19|20)\d\d(?![\d/-])"),
        ("a date", r"(?<![\d./-])(?:19|20)\d\d([./-])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])(?![\d/-])"),
        ("a date", r"(?:19|20)\d\d\s*年\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*日)?"),
        ("a date", rf"\b(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|\.)?\s*(?:of\s+)?{_MONTHS}\.?,?\s*(?:19|20)\d\d\b"),
        ("a date", rf"\b{_MONTHS}\.?\s+(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?,?\s+(?:19|20)\d\d\b"),
        ("a date", rf"\b(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|\.)?\s+(?:of\s+)?(?!ma[yi]\b){_MONTHS}\b(?!\s*\d)"),
        ("a date", rf"\b(?!ma[yi]\b){_MONTHS}\.?\s+(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?\b(?!\S*\d|\s*{_UNIT})"),
        ("a date", r"(?<![\d./-])(?:0[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])\.\d\d(?![\d.])"),
        ("a date", rf"(?<![\d./-])(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|1[0-2])/\d\d(?![\d/.])(?!\s*{_UNIT})"),
        (
            "a record number",
            r"\b(?:mrn|m\.r\.n\.|pid|nhs|ssn|svnr|fallnr|pat(?:ient)?[-_. ]{0,2}(?:id|no|nr|number|nummer)|"
            r"(?:medical|health|hospital|case|chart|file|record|accession|study|insurance|account|admission)\s*"
            r"(?:record)?\s*(?:id|no\b|nr|number|#)|accession|record|identification|ref(?:erence)?|id)\s*(?:no\b|nr|number)?[.:#=\s]*"
            r"(?=[\w-]*\d)[\w-]{3,}",
        ),
        ("a record number", r"(?<![\w-])[a-z][\w-]*_\d{2,}\b"),
        ("a record number", r"(?<![\w-])[a-z]{1,4}-?\d{2,4}[-/]\d{3,}\b(?![-/.])(?!\s*(?:µm|um|mg|ml))"),
        (
            "a record number",
            r"(?<![\w./-])(?:19|20)\d\d[/-](?!(?:19|20)\d\d\b)\d{4,}\b|\b(?:case|chart|file|patient)\s+#?\d{4,}\b",
        ),
        ("a record number", r"(?<![\w.,-])\d{3} \d{3} \d{4}(?![\w.,-]|\s*(?:µm|um|mg|ml)\b)"),
        ("a file path", r"(?<!\w)(?:[a-z]:\\|~/|/(?:home|users|mnt|media|data|tmp|srv)/)[^\s;,]+"),
        ("a record number", r"(?:病历号|住院号|门诊号|病案号|身份证)\D{0,4}[\w-]{3,}"),
        ("a record number", r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"),
        ("a record number", r"(?<![\w.,-])(?!nct\d{8}\b|pmid)[a-z]{1,4}[-_]?\d{6,}\b"),
        ("an e-mail address", r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
        ("a web address", r"\bhttps?://\S+|\bwww\.\S+"),
        (
            "a telephone number",
            r"\b(?:tel|phone|fax|mobile|cell|call|ring)\b[.:\s]*[+\d][\d\s()/-]{5,}|(?<![\w.])\+\d[\d\s()/-]{7,}",
        ),
        ("a network address", r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"),
    )
)
# Six digits in a row name a record, unless they measure something.
_DIGITS = re.compile(r"(?<![\w.,/-])#?\d{6,}(?![\w/-]|[.,]\d)")
_MEASURED = re.compile(
    r"^\s*(?:[-–]\s*\d+\s*)?(?:ng|µg|ug|mcg|mg|g|iu|u|miu|ku|kg|ml|l|mm|cm|µm|um|hu|%|cells|copies|platelets|/|per\b)",
    re.IGNORECASE,
)
_MEASURE = re.compile(
    r"(?:afp|α-?fp|fetoprotein|platelets?|plt|dcp|pivka(?:-?ii)?|ca\s?19-9|viral load|dna|copies|pmid|nct)\W{0,3}"
    r"(?:(?:of|is|was|at|about|over|above|below|under|count|level|value)\W{1,3})*[<>≥≤=~]*\s*$",
    re.IGNORECASE,
)
_TITLE = re.compile(
    r"\b(?:mr|mrs|mister|herr|herrn|frau|hr|fr|mme|mlle|monsieur|madame|signora?|señora?|doña)\b"
    r"\.?\s+(?:(?:dr|prof|med)\b\.?\s+)*(?P<name>[^\W\d_][\w'’-]+)",
    re.IGNORECASE,
)
_DOCTOR = re.compile(r"\b(?:ms|miss|sra?|dr|prof)\b\.?\s+(?P<name>[^\W\d_][\w'’-]+)", re.IGNORECASE)
_LABEL = re.compile(
    r"\b(?:(?:patient(?:in)?|pt|subject)(?:['’]s)?\s+(?:is\s+)?(?:named?|called)|"
    r"(?:patient|sur|last|first|given|family|full)?[ -]?name|named|called|vorname|nachname|nom|nombre)\b\s*"
    r"(?:is\b|[:=])?\s*(?P<name>[^\W\d_][\w'’-]+(?:[ ,]+[^\W\d_][\w'’-]+)?)",
    re.IGNORECASE,
)
_PATIENT = re.compile(
    r"\b(?:patient(?:in)?|pt|case of|case:)[.:]?\s+(?P<name>[^\W\d_][\w'’-]+(?:[ ,]+[^\W\d_][\w'’-]+)?)", re.I
)
_CJK_NAME = re.compile(
    r"(?:姓名|患者姓名|病人姓名)\s*[:：]?\s*[\u4e00-\u9fff·]{2,5}|[\u4e00-\u9fff]{1,3}(?:先生|女士|小姐)"
)
# A surname that begins no common word, alone between other writing.
_CJK_LONE = re.compile(
    r"(?<![\u4e00-\u9fff])[王李张刘陈杨赵吴徐孙朱胡郭林郑梁谢宋唐韩冯邓曹彭董袁潘蒋蔡魏吕丁沈姚姜崔钟谭汪廖贾邹孟熊秦邱尹薛闫侯陶"
    r"黎贺郝龚邵钱覃戴][\u4e00-\u9fff]{1,2}(?![\u4e00-\u9fff])"
)
_INITIALS = re.compile(
    r"\b(?:initials|patient|pt)\b[.:]?\s*[A-Z]\.?\s?[A-Z]\.|\b[A-Z]\.\s?[A-Z]\.,?\s*(?=\d{1,3}\s?(?:y|yo|years?|m|f|male|female)\b)"
)
# "van der Berg", "O'Connor": parts of surnames that begin no clinical term.
_PARTICLE = re.compile(
    r"\b(?:[Vv]an(?: de[rn]?)?|[Vv]on(?: der)?|[Bb]in|[Ii]bn|[Dd]os|[Dd]ella) "
    r"(?!Willebrand|Hippel|Gierke)[A-Z][a-zà-ÿ]{2,}|"
    r"\b[OD]['’][A-Z][a-z]{2,}"
)
_PINYIN_SURNAMES = frozenset(["chen", "huang", "liu", "wang", "yang", "zhang", "zhao", "zhou", "zheng", "xu"])
_SYLLABLE = (
    r"(?:[bpmfdtnlgkhjqxrzcsyw]|zh|ch|sh)?"
    r"(?:iang|iong|uang|ang|eng|ong|ian|iao|ing|uai|uan|ai|ei|ao|ou|an|en|ia|ie|iu|in|ua|uo|ui|un|ue|a|o|e|i|u)"
)
_PINYIN = re.compile(rf"(?:{_SYLLABLE}){{1,2}}")
_DICOM_NAME = re.compile(r"(?<!\w)[^\W\d_]{2,}\^[^\W\d_]{1,}(?:\^[^\s]*)?")
_WORD = re.compile(r"[^\W\d_](?:['’][^\W\d_])?[^\W\d_'’]*(?:-[^\W\d_]+)*")
_INITIAL = re.compile(r"\b[A-Z]\.\s?(?:[A-Z]\.\s?)?(?P<name>[A-Z][a-zà-ÿ'’-]{2,})")


@dataclass(frozen=True)
class Suspicion:
    """A piece of a text that could identify a patient.

    Attributes:
        kind: what it looks like, e.g. ``"a name"``.
        text: the piece as written.
    """

    kind: str
    text: str


def identifiers_in(text: str) -> tuple[Suspicion, ...]:
    """Return what in a text could identify a patient, each piece once, in the order of the text.

    Full dates count, because any of them can be a date of birth and all of them identify (HIPAA Safe Harbor,
    45 CFR 164.514(b)(2)); years and ages do not.
    """
    # Invisible characters within a name would hide it.
    text = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    found: list[tuple[int, int, str]] = []
    for kind, pattern in _PATTERNS:
        found += [(m.start(), m.end(), kind) for m in pattern.finditer(text)]
    for match in _DIGITS.finditer(text):
        measured = _MEASURED.match(text[match.end() :]) or _MEASURE.search(
            text[max(0, match.start() - 60) : match.start()]
        )
        if not measured:
            found.append((match.start(), match.end(), "a record number"))
    found += _names(text)
    found.sort(key=lambda piece: (piece[0], -piece[1]))
    kept: list[tuple[int, int, str]] = []
    for start, end, kind in found:
        if not kept or start >= kept[-1][1]:
            kept.append((start, end, kind))
    return tuple(dict.fromkeys(Suspicion(kind, text[start:end].strip(" ,;:")) for start, end, kind in kept))


def require_no_identifiers(text: str, what: str) -> None:
    """Check that a text names nobody.

    Args:
        text: what would be sent.
        what: how to call it, e.g. ``"goal"``.

    Raises:
        InputError: it does; the sentence shows what was found.
    """
    found = identifiers_in(text)
    if found:
        told = ", ".join(f"{s.text!r} ({s.kind})" for s in found[:4])
        raise InputError(f"The {what} holds what could identify the patient: {told}; reword it. Nothing was sent.")


def _names(text: str) -> list[tuple[int, int, str]]:
    alone = (_DICOM_NAME, _CJK_NAME, _CJK_LONE, _INITIALS, _PARTICLE)
    found = [(m.start(), m.end(), "a name") for p in alone for m in p.finditer(text)]
    for pattern in (_TITLE, _LABEL, _DOCTOR, _PATIENT, _INITIAL):
        for match in pattern.finditer(text):
            words = match["name"].replace(",", " ").split()
            strict = pattern in (_TITLE, _LABEL)
            # "Mr Li", but not "MR liver": a title in small letters before a capital introduces whatever follows.
            titled = pattern is _TITLE and match.group()[1].islower() and words[0][:1].isupper()
            if titled or _introduced(words, strict):
                found.append((match.start(), match.end(), "a name"))
    tokens = list(_WORD.finditer(text))
    long = [w.group() for w in tokens if len(w.group()) > 3]
    # In a Text With Capitals Everywhere a capital says nothing.
    telling = 2 * sum(w[:1].isupper() for w in long) <= max(len(long), 4)
    for k, word in enumerate(tokens):
        near = tokens[k + 1] if k + 1 < len(tokens) else None
        joined = near is not None and re.fullmatch(r",?\s|[._]", text[word.end() : near.start()]) is not None
        if near is not None and joined and _is_pair(word.group(), near.group(), telling):
            found.append((word.start(), near.end(), "a name"))
        elif _is_lone_name(word.group()) and not _eponym(text, word.end()):
            found.append((word.start(), word.end(), "a name"))
    return found


def _introduced(words: list[str], strict: bool) -> bool:
    """Whether words after "Mr", "name:" or "patient" are a name."""
    first = words[0]
    if _known(first):
        return False
    return strict or first[:1].isupper() or _fold(first) in GIVEN_NAMES | SURNAMES


def _is_lone_name(word: str) -> bool:
    """Whether a capitalised word, or a part of it before a hyphen, is a common name and no term."""
    parts = [_fold(part) for part in word.split("-")]
    if " ".join(parts) in CLINICAL_NAMES:
        return False
    for folded in {_fold(word), *parts}:
        common = folded in GIVEN_NAMES or (folded in SURNAMES and len(folded) > 3)
        if common and folded not in NOT_NAMES and word[:1].isupper():
            return True
    return False


def _is_pair(first: str, second: str, telling: bool) -> bool:
    """Whether two words in a row read like given name and surname, in either order and in any case.

    Args:
        first, second: the words.
        telling: whether capitals mean something in this text.
    """
    a, b = _fold(first), _fold(second)
    if f"{a} {b}" in CLINICAL_NAMES:
        return False
    given, family = {a, b} & GIVEN_NAMES, {a, b} & SURNAMES
    if given and family and a != b:
        return True
    if a in _PINYIN_SURNAMES and _PINYIN.fullmatch(b) and b not in _vocabulary():
        return True
    if _known(first) or _known(second):
        return False
    proper = all(w[:1].isupper() and len(w) > 1 for w in (first, second))
    if given and proper:
        return True
    # Two capitalised words that no vocabulary knows; short abbreviations are no names.
    return telling and proper and all(not w.isupper() or len(w) > 4 for w in (first, second))


def _known(word: str) -> bool:
    folded = _fold(word)
    if folded in GIVEN_NAMES or folded in SURNAMES:
        return folded in NOT_NAMES
    parts = folded.split("-")
    return folded in _vocabulary() or all(part in _vocabulary() or len(part) < 2 for part in parts)


def _eponym(text: str, end: int) -> bool:
    """Whether a name is the name of a thing: "Milan criteria", "Martin's clip"."""
    following = re.match(r"(?:['’]s)?[\s-]+([^\W\d_]+)", text[end:])
    return following is not None and _fold(following[1]) in ADDRESSED_AS


def _fold(word: str) -> str:
    """Return a word in small letters without accents; "ue" for "ü" only where a list holds it so."""
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode().lower() or word.lower()
    plain = re.sub(r"['’]s$", "", plain).strip("'")
    short = re.sub(r"([aou])e", r"\1", plain)
    return short if plain not in GIVEN_NAMES | SURNAMES and short in SURNAMES else plain


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    base = load_action_base()
    names = [n for a in base.agents.values() for n in (a.id, a.name, *a.aliases)] + list(base.unresolved)
    return CLINICAL_WORDS | NOT_NAMES | {_fold(w) for name in names for w in re.findall(r"[^\W\d_]+", name)}
