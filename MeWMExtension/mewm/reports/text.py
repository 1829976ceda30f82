"""The text of a report in one spelling of its characters, cut into clauses; places lead back to the original."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from mewm.reports.extraction import Span

_SPELLING = {
    **dict.fromkeys("‐‑‒–—−〜～－", "-"),
    **dict.fromkeys("’`‘", "'"),
    **{
        "μ": "µ",
        "Μ": "µ",
        "、": ",",
        "。": ";",
        "×": "x",
        "∼": "~",
        "•": ";",
        "·": " ",
        "\r": "\n",
        "\t": " ",
    },
}
# Words whose full stop does not end a sentence.
_ABBREVIATIONS = frozenset(
    [
        "approx",
        "inj",
        "max",
        "min",
        "ca",
        "vs",
        "no",
        "fr",
        "seg",
        "art",
        "a",
        "v",
        "i",
        "e",
        "g",
        "resp",
        "lip",
        "incl",
        "dr",
        "mr",
        "mrs",
        "fig",
        "st",
        "emb",
        "lt",
        "rt",
        "approx",
        "abt",
        "inf",
        "sup",
        "hep",
        "br",
        "pt",
        "pts",
        "temp",
        "vol",
        "conc",
        "susp",
        "sol",
    ]
)
_STOP = re.compile(r";|\n|\.(?=\s|$)|,? (?=(?:but|however)\b)")
# What was planned ends where "but" tells what was done.
_PLANNED = re.compile(r"\b(?:plan|intend|schedul)", re.IGNORECASE)
# "Child A." ends a sentence, "a. hepatica" does not.
_CLASSED = re.compile(r"(?:child|pugh|bclc|class|stage|grade|type|hepatitis)[- ]*[a-z]$", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"([^\W\d_]+)$")
_BULLET = re.compile(r"\s*(?:[-*>o]\s|\(?\d{1,2}[.)]\s|\(?[a-h]\)\s|#\d)")
_AMOUNT_LINE = re.compile(r"\s*[\d.,]+(?:\s*-\s*[\d.,]+)?\s*(?:mg|g|ml|cc|µm|um)?\s*$", re.IGNORECASE)
_HEADING = re.compile(r"[ \t]*((?:\d{1,2}(?:st|nd|rd|th) )?[A-Za-z][A-Za-z0-9/&' -]{1,48}?)[ \t]*:")
# Headings in small letters that hold for the whole paragraph and not only for the sentence behind them.
_LASTING = re.compile(
    r"history|indication|clinical|background|medication|procedure|technique|finding|impression|conclusion|summary|allerg",
    re.IGNORECASE,
)
# Headings of another time that hold for a list and not for the next sentence: "Previous TACE: ...; ...".
_LISTED = re.compile(r"previous|prior|past|outside|elsewhere|earlier|plan|next", re.IGNORECASE)
_NOW = re.compile(r"\s*(?:today|now|currently|this time|in this session)\b", re.IGNORECASE)
# A line at least so long that ends without a full stop goes on in the next line.
_WRAPPED = 60
# "Lesion A (segment 8): ..." begins what was done to one of several lesions.
_OF_A_LESION = re.compile(
    r"\s*(?:lesion|nodule|tumou?r|segment|seg|target)\.? ?(?:no\.? ?)?(?:\d|[A-D]\b)", re.IGNORECASE
)
# What a sentence gives in a dose today ends a heading such as "Drug history:" that stands within a line.
_GIVES = re.compile(
    r"\d\s*(?:mg|ml|cc)\b.*\b(?:infused|injected|administered|emulsified|perfused)\b|"
    r"\bemboli[sz]ed [^;]{0,120}?\bwith\b[^;]{0,40}?\d\s*(?:mg|ml|cc)\b",
    re.IGNORECASE,
)
_BACK_THEN = re.compile(r"previous|prior|earlier|\bago\b|\bhad\b|(?:19|20)\d\d|first|then\b|underwent", re.IGNORECASE)
_LINE = 400
# Two lines with an amount each are two lines of a list, unless the first breaks off.
_DOSED = re.compile(r"\d\s*(?:mg|g|ml|cc|µm|um)\b", re.IGNORECASE)
_OPEN = re.compile(r"(?:[,(+&/-]|\b(?:and|with|of|in|or|plus|the|by)|\d\s*(?:mg|g|ml|cc|µm|um)?)$", re.IGNORECASE)
# Bars around a row of a table, and the rule below its header.
_EDGES = re.compile(r"^[ |]+|[ |]+$|:?-{2,}:?")
# "Residual blush | none" in a line of its own.
_NAMED_CELL = re.compile(r"[^|\d]+\|")
_BRACKETS = 80
_LONGEST = 1000


@dataclass(frozen=True)
class Clean:
    """A report in one spelling of dashes, micro signs, widths and stops.

    Attributes:
        text: the text to read.
        starts: for each of its characters the place in the original, or ``None`` where both agree.
        length: number of characters of the original.
    """

    text: str
    starts: tuple[int, ...] | None
    length: int

    def original(self, start: int, end: int) -> Span:
        """Return the place in the original report of ``text[start:end]``."""
        if self.starts is None:
            return (start, end)
        last = self.starts[end - 1] if end > start else self.starts[min(start, len(self.starts) - 1)]
        after = bisect_right(self.starts, last)
        return (self.starts[start], self.starts[after] if after < len(self.starts) else self.length)


@dataclass(frozen=True)
class Clause:
    """A clause of a report.

    Attributes:
        text: the clause.
        lower: the same in lower case, character by character.
        start: its place in the clean text.
        heading: the heading it stands under, lower case, or ``""``.
    """

    text: str
    lower: str
    start: int
    heading: str


@lru_cache(maxsize=4096)
def _spell(character: str) -> str:
    return "".join(_SPELLING.get(c, c) for c in unicodedata.normalize("NFKC", _SPELLING.get(character, character)))


def clean(report: str) -> Clean:
    """Bring a report into one spelling without losing the places of its characters."""
    spelling = {c: _spell(c) for c in set(report)}
    starts = None
    if all(len(spelt) == 1 for spelt in spelling.values()):
        text = report.translate({ord(c): spelt for c, spelt in spelling.items()})
    else:
        text = "".join(spelling[c] for c in report)
        starts = tuple(i for i, c in enumerate(report) for _ in spelling[c])
    # Between numbers a tilde means "to", before a number "about"; leaders of a table and grouping blanks are blanks.
    if "~" in text:
        text = re.sub(r"(?<=\d)( ?)~(?= ?\d)|(?<=[mM])( ?)~(?= ?\d)", lambda m: m.group()[:-1] + "-", text)
    text = re.sub(r"(?<=\d)-(?=(?:µm|um|micron|mm|mg|ml|cc)\w*\b)", " ", text.replace("~", " "), flags=re.IGNORECASE)
    # "200 ± 50 µm" is a size of 200 µm.
    text = re.sub(r"(?<=\d) ?(?:±|\+/-) ?\d+", lambda m: " " * len(m.group()), text)
    # "PVA 350#" is a size of 350 µm.
    text = re.sub(r"(?<=\d)#", "µ", text)
    text = re.sub(r"\.{3,}|_{2,}|…", lambda m: " " * len(m.group()), text)
    if "|" in text:
        text = _without_bars(text)
    return Clean(text, starts, len(report))


def _without_bars(text: str) -> str:
    """Write the rows of a table as clauses and other bars as stops, each character in its place.

    Cells are parted by commas, or by a colon where a row names one thing and its value.
    """
    lines = text.split("\n")
    bars = [line.strip(" |").count("|") for line in lines]
    written = ""
    for i, line in enumerate(lines):
        goes_on = i + 1 < len(lines) and bars[i + 1] == bars[i] > 0
        if goes_on or (i and bars[i - 1] == bars[i] > 0):
            line = _EDGES.sub(lambda m: " " * len(m.group()), line).replace("|", ":" if bars[i] == 1 else ",")
        if bars[i] == 1 and _NAMED_CELL.match(line):
            line = line.replace("|", ":", 1)
        written += line.replace("|", ";") + (";" if goes_on else "\n")
    return written[:-1]


def lower_case(text: str) -> str:
    """Return a text in lower case, each character in its place."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def clauses(text: str) -> Iterator[Clause]:
    """Cut a clean text into clauses at semicolons, full stops and ends of lines that are not mere wraps."""
    heading = listed = ""
    capitals = inline = spoken = False
    start = 0
    for end, after in _bounded(text, [*_stops(text), (len(text), len(text))]):
        piece = text[start:end]
        at_line = _begins_line(text, start)
        bullet = _BULLET.match(piece)
        offset = bullet.end() if bullet else 0
        own = _HEADING.match(piece, offset)
        if _NOW.match(piece, offset):
            heading = listed = ""
        lasting = bool(own and (own[1].isupper() or _LASTING.search(own[1])))
        if own and (at_line or lasting):
            heading = own[1].lower() if lasting else ""
            spoken = bool(piece[own.end() :].strip())
            capitals = own[1].isupper() or not spoken
            inline = not capitals
        elif capitals and spoken and _treats(piece):
            # "HISTORY: HCC." and on the next lines what was done, without a heading of its own.
            heading = ""
        elif (own and inline) or (inline and _GIVES.search(piece) and not _BACK_THEN.search(piece)):
            # "Indication: HCC. New nodule: ..." speaks of something else from here on.
            heading = ""
        elif at_line and not bullet and not capitals:
            heading = ""
        body = piece[offset:]
        lead = len(body) - len(body.lstrip())
        if body.strip():
            if own:
                listed = own[1].lower() if _LISTED.search(own[1]) else ""
            named = own[1].lower() if own else listed or heading
            body = body.strip()
            yield Clause(body, lower_case(body), start + offset + lead, named)
        if text[end:after] != ";":
            listed = ""
        start = after


def _treats(piece: str) -> bool:
    """Return whether a line below a heading in capitals tells of a treatment, and of no earlier one."""
    if _OF_A_LESION.match(piece):
        return bool(_DOSED.search(piece))
    return bool(_GIVES.search(piece)) and not _BACK_THEN.search(piece)


def _stops(text: str) -> Iterator[tuple[int, int]]:
    line_start = sentence = 0
    for match in _STOP.finditer(text):
        start, end = match.span()
        mark = match.group()
        if mark[-1] == " " and not _PLANNED.search(text, sentence, start):
            continue
        if mark == ";" and _in_brackets(text, start):
            continue
        if mark == "\n":
            line, line_start = text[line_start:start], end
            following = text[end : text.find("\n", end) if "\n" in text[end : end + _LINE] else end + _LINE]
            if _goes_on(line, following):
                continue
        elif mark == ".":
            before = _WORD_BEFORE.search(text, max(start - 12, 0), start)
            short = before and before[1].lower() in _ABBREVIATIONS and text[start + 1 : start + 3].strip()
            if short and not (_CLASSED.search(text, start - 20, start) or _HEADING.match(text, end)):
                continue
        sentence = end
        yield start, end


def _bounded(text: str, stops: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Cut what no one wrote as a clause at a blank, for reading takes the square of its length."""
    start = 0
    for end, after in stops:
        while end - start > _LONGEST:
            blank = text.rfind(" ", start + 1, start + _LONGEST)
            start = blank if blank > 0 else start + _LONGEST
            yield start, start
        yield end, after
        start = after


def _in_brackets(text: str, at: int) -> bool:
    """Return whether a place lies inside brackets that open and close close by."""
    before, after = text[max(at - _BRACKETS, 0) : at], text[at : at + _BRACKETS]
    opened = before.rfind("(") > max(before.rfind(")"), before.rfind("\n"))
    close = after.find(")")
    return opened and close >= 0 and not any(c in after[:close] for c in "(\n")


def _begins_line(text: str, start: int) -> bool:
    while start > 0 and text[start - 1] == " ":
        start -= 1
    return start == 0 or text[start - 1] == "\n"


def _goes_on(line: str, following: str) -> bool:
    """Return whether the line break between two lines is only a wrap."""
    stripped = line.rstrip()
    if not following.strip() or not stripped:
        return False
    if _BULLET.match(following) or _HEADING.match(following):
        return False
    if stripped[-1] in ".;:!?":
        return False
    if _AMOUNT_LINE.match(following) and not re.search(r"\d\s*(?:mg|g|ml|cc|µm|um)?$", stripped, re.IGNORECASE):
        return True
    if len(stripped) < _WRAPPED and _DOSED.search(following) and _DOSED.search(stripped) and not _OPEN.search(stripped):
        return False
    return stripped[-1] in ",(-+&/" or following.lstrip()[:1].islower() or len(stripped) >= _WRAPPED
