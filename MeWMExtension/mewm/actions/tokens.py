"""Words, amounts and marks of a clause of free text."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from mewm.actions.lexicon import FOREIGN_UNITS, MASS_MG, SIZE_UM, VAGUE_UNITS, VOLUME_ML

_NUMBER = r"(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][+-]?\d+)?"
_TOKEN = re.compile(
    rf"""
    (?P<ratio>\d+\s*:\s*\d+(?!\d*\s*[a-zµ]))
  | (?P<named>(?P<count>\d+)-?(?P<letters>[^\W\d_]{{2,}})[\w']*)
  | (?P<number>(?P<sign>(?:(?<=\s)|(?<=\()|^)-(?=[\d.]))?(?P<low>{_NUMBER})
       (?:\s*(?P<lowunit>[^\W\d_]{{1,2}}\b)?\s*(?:-|\bto\b)\s*(?P<high>{_NUMBER}))?)
  | (?P<word>[^\W\d_](?:(?!{_NUMBER}\s?(?:mg|ml|g|cc|[µu]m)\b)[\w'])*)
  | (?P<mark>[,+&/()\[\]-])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_UNIT = re.compile(r"\s*(%|[^\W\d_]+(?:/[^\W\d_]+2?)?)")
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
        lower: the text in lower case.
    """

    kind: str
    text: str
    start: int
    end: int
    agent: str = ""
    quantity: Quantity | None = None
    lower: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Read for every word many times over: a stored field is far cheaper than a cached property.
        object.__setattr__(self, "lower", self.text.lower())


def tokenise(clause: str) -> list[Token]:
    """Cut a clause into words, amounts with their units, and the marks that separate them."""
    tokens: list[Token] = []
    position = 0
    while match := _TOKEN.search(clause, position):
        position = match.end()
        if match["ratio"]:
            continue
        if match["named"] and _unit_name(_UNIT.match(clause, match.start("letters"))) is None:
            tokens.append(Token("word", match["named"], match.start(), position))
        elif match["named"] or match["number"]:
            tokens.append(_amount(clause, match))
            position = tokens[-1].end
        else:
            # A dash between blanks separates; one between letters joins.
            dash = match["mark"] == "-" and clause[max(match.start() - 1, 0) : position + 1] == " - "
            text = "," if dash else match.group()
            tokens.append(Token("word" if match["word"] else "mark", text, match.start(), position))
    return tokens


def _amount(clause: str, match: re.Match[str]) -> Token:
    """Read the amount that starts at ``match``: a number or a range, with the unit behind it."""
    if match["named"]:
        low, high, sign, end = match["count"], None, "", match.start("letters")
    else:
        low, high, sign, end = match["low"], match["high"], match["sign"] or "", match.end()
    unit_match = _UNIT.match(clause, end)
    unit = _unit_name(unit_match)
    if match["lowunit"] and match["lowunit"].lower() != unit:
        # Two amounts with a dash between them, not a range.
        high, end = None, match.end("low")
        unit_match = _UNIT.match(clause, end)
        unit = _unit_name(unit_match)
    if unit and unit_match:
        end = unit_match.start(1) + len(unit)
    # An unknown unit is quoted to the user but stays a word of the text.
    shown = unit_match.end() if unit_match and not unit else end
    ends = sorted(_float(n) for n in (low, high or low))
    factor, name = 1.0, unit
    for units, target in ((MASS_MG, "mg"), (VOLUME_ML, "ml"), (SIZE_UM, "µm")):
        if unit in units:
            factor, name = units[unit], target
    if unit in VAGUE_UNITS:
        name = "vague"
    if sign:
        ends = [-ends[1], -ends[0]]
    written = clause[match.start() : shown]
    quantity = Quantity(ends[0] * factor, ends[1] * factor, name, written)
    return Token("quantity", clause[match.start() : end], match.start(), end, quantity=quantity)


def _unit_name(match: re.Match[str] | None) -> str | None:
    """Return the unit a word is or begins with: ``mg/ml``, or ``mg`` of ``mg/lipiodol``."""
    if match is None:
        return None
    word = match[1].lower()
    first = word.split("/")[0]
    return word if word in _UNITS else first if first in _UNITS else None


def _float(number: str) -> float:
    """Read a number; a comma is a decimal comma unless exactly three digits follow a leading 1–9 group."""
    if re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+", number):
        return float(number.replace(",", ""))
    if number.count(",") + number.count(".") > 1:
        return math.nan
    return float(number.replace(",", "."))
