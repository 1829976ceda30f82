"""Words, amounts and marks of a clause of free text."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from mewm.actions.lexicon import FOREIGN_UNITS, MASS_MG, SIZE_UM, VAGUE_UNITS, VOLUME_ML

_NUMBER = r"(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][+-]?\d+)?"
_TOKEN = re.compile(
    rf"""
    (?P<ratio>\d+\s*:\s*\d+(?!\d*\s*[a-zµ]))
  | (?P<named>\d+-?[^\W\d_]{{2,}}[\w']*)
  | (?P<number>(?P<sign>(?:(?<=\s)|(?<=\()|^)-(?=[\d.]))?(?P<low>{_NUMBER})
       (?:\s*(?P<lowunit>[^\W\d_]{{1,2}}\b)?\s*(?:-|\bto\b)\s*(?P<high>{_NUMBER}))?)
  | (?P<word>[^\W\d_](?:(?!{_NUMBER}\s?(?:mg|ml|g|cc|[µu]m)\b)[\w'])*)
  | (?P<mark>[,+&/()\[\]-])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_UNIT = re.compile(r"\s*(%|[^\W\d_]+(?:/[^\W\d_]+[2²]?)?)")
_UNITS = {**MASS_MG, **VOLUME_ML, **SIZE_UM, **dict.fromkeys(FOREIGN_UNITS | VAGUE_UNITS, 1.0)}


@dataclass(frozen=True)
class Quantity:
    """An amount with its unit.

    Attributes:
        low, high: the ends of a range, equal for a single number, in ``unit``.
        unit: ``"mg"``, ``"ml"``, ``"µm"``, a unit of :data:`~mewm.actions.lexicon.FOREIGN_UNITS`, ``"vague"``,
            ``"nan"`` or ``None`` (a bare number right beside an agent).
        text: the amount as written.
    """

    low: float
    high: float
    unit: str | None
    text: str

    @property
    def vague(self) -> bool:
        """Whether the amount is a concentration, a rate or a number of vials."""
        return self.unit == "vague"

    @property
    def finite(self) -> bool:
        """Whether both ends are finite numbers."""
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True)
class Token:
    """A piece of a clause.

    Attributes:
        kind: ``"word"``, ``"agent"``, ``"quantity"`` or ``"mark"``.
        text: as written.
        start, end: its place in the clause.
        agent: the agent it names, for kind ``"agent"``.
        quantity: the amount, for kind ``"quantity"``.
    """

    kind: str
    text: str
    start: int
    end: int
    agent: str = ""
    quantity: Quantity | None = None

    @property
    def lower(self) -> str:
        """The text in lower case."""
        return self.text.lower()


def tokenise(clause: str) -> list[Token]:
    """Cut a clause into words, amounts with their units, and the marks that separate them."""
    tokens = []
    position = 0
    while match := _TOKEN.search(clause, position):
        position = match.end()
        kind = match.lastgroup if match.lastgroup in ("ratio", "named", "word", "mark") else "number"
        if kind == "ratio":
            continue
        if kind == "named":
            unit = re.match(r"\d+-?", match.group())
            letters = match.group()[unit.end() :].lower() if unit else ""
            if letters not in _UNITS:
                tokens.append(Token("word", match.group(), match.start(), match.end()))
                continue
            number = re.match(_NUMBER, match.group())
            quantity = _quantity(number.group(), None, "", letters) if number else None
            tokens.append(Token("quantity", match.group(), match.start(), match.end(), quantity=quantity))
        elif kind == "number":
            unit = _UNIT.match(clause, position)
            name = _unit_name(unit.group(1)) if unit else None
            if unit and name:
                position = unit.end(1) if name == unit.group(1).lower() else unit.start(1) + len(name)
            written = clause[match.start() : position]
            quantity = _quantity(match["low"], match["high"], match["sign"] or "", name, written)
            tokens.append(Token("quantity", written, match.start(), position, quantity=quantity))
        else:
            tokens.append(Token(kind, match.group(), match.start(), match.end()))
    return tokens


def _unit_name(written: str) -> str | None:
    """Return the unit a word begins with: ``mg/ml`` if that is one, else ``mg`` of ``mg/xyz``."""
    word = written.lower()
    if word in _UNITS:
        return word
    first = word.split("/")[0]
    return first if first in _UNITS else None


def _quantity(low: str, high: str | None, sign: str, unit: str | None, written: str = "") -> Quantity:
    ends = sorted((_float(low), _float(high if high is not None else low)))
    factor = 1.0
    name: str | None = unit
    for units, target in ((MASS_MG, "mg"), (VOLUME_ML, "ml"), (SIZE_UM, "µm")):
        if unit in units:
            factor, name = units[unit], target
    if unit in VAGUE_UNITS:
        name = "vague"
    if sign:
        ends = [-ends[1], -ends[0]]
    return Quantity(ends[0] * factor, ends[1] * factor, name, written.strip() or f"{low} {unit or ''}".strip())


def _float(number: str) -> float:
    """Read a number; a comma is a decimal comma unless exactly three digits follow a leading 1–9 group."""
    if re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+", number):
        return float(number.replace(",", ""))
    if number.count(",") + number.count(".") > 1:
        return math.nan
    return float(number.replace(",", "."))
