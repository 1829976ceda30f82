"""Words, amounts and marks of a clause of free text; names among them are marked by :mod:`mewm.actions.names`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal

from mewm.actions.lexicon import FOREIGN_UNITS, MASS_MG, SIZE_UM, VAGUE_UNITS, VOLUME_ML

_NUMBER = r"(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][+-]?\d+)?"
# A word ends where a number with a unit is stuck to it: "Lipiodol10ml".
_TOKEN = re.compile(
    rf"""
    (?P<word>[^\W\d_](?:[^\W\d]|')*(?:(?!{_NUMBER}\s?(?:mg|ml|g|cc|[µu]m)\b)\d(?:[^\W\d]|')*)*)
  | (?P<ratio>\d+\s*:\s*\d+(?!\d*\s*[a-zµ]))
  | (?P<named>(?P<count>\d+)-?(?P<letters>[^\W\d_]{{2,}})[\w']*)
  | (?P<number>(?P<sign>(?:(?<=\s)|(?<=\()|^)-(?=[\d.]))?(?P<low>{_NUMBER})
       (?:\s*(?P<lowunit>[^\W\d_]{{1,2}}\b)?\s*(?:-|\bto\b)\s*(?P<high>{_NUMBER}))?)
  | (?P<mark>[,+&/()\[\]-])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")
_UNIT = re.compile(r"\s*(%|[^\W\d_]+(?:/[^\W\d_]+2?)?)")
Sort = Literal["agent", "unknown", "carrier", "supportive", "particles", "quantity", "word", "mark"]
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


# Compared by identity and not frozen: one is made for every word, and both would cost a third of the time.
@dataclass(eq=False, slots=True)
class Token:
    """A piece of a clause.

    Attributes:
        sort: what it is; ``"agent"`` is in the action base, ``"unknown"`` an agent that is not.
        text: as written.
        start, end: its place in the clause.
        agent: the agent's identifier, or its name as written.
        kind: ``"drug"``, ``"embolic"``, ``"bead"`` or ``"unknown"`` for agents.
        quantity: the amount, for sort ``"quantity"``.
        generic: whether the name stands for any bead.
        misspelt: whether the name was read in spite of its spelling.
        loaded: amounts that came with a joined pair of bead and drug.
        lower: the text in lower case.
    """

    sort: Sort
    text: str
    start: int
    end: int
    agent: str = ""
    kind: str = ""
    quantity: Quantity | None = None
    generic: bool = False
    misspelt: bool = False
    loaded: tuple[Token, ...] = ()
    lower: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.lower = self.text.lower()

    @property
    def given(self) -> bool:
        """Whether it names an agent, known or not."""
        return self.sort in ("agent", "unknown")

    @property
    def holds(self) -> bool:
        """Whether an amount can belong to it."""
        return self.sort not in ("word", "mark", "quantity")


def tokenise(clause: str) -> list[Token]:
    """Cut a clause into words, amounts with their units, and the marks that separate them."""
    tokens: list[Token] = []
    position = -1
    while position < len(clause):
        # The unit behind a number is read with it, and of what looks like a range the end may be an amount of its own:
        # behind every amount the search starts afresh.
        for match in _TOKEN.finditer(clause, max(position, 0)):
            sort = match.lastgroup
            start, end = match.span()
            if sort == "word":
                tokens.append(Token("word", clause[start:end], start, end))
            elif sort == "mark":
                # A dash between blanks separates; one between letters joins.
                dash = clause[max(start - 1, 0) : end + 1] == " - "
                tokens.append(Token("mark", "," if dash else clause[start:end], start, end))
            elif sort == "named" and _unit_name(_UNIT.match(clause, match.start("letters"))) is None:
                tokens.append(Token("word", clause[start:end], start, end))
            elif sort != "ratio":
                tokens.append(_amount(clause, match))
                position = tokens[-1].end
                break
        else:
            position = len(clause)
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
    ends = [_float(low)] * 2 if high is None else sorted((_float(low), _float(high)))
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
    if "," in number and _GROUPED.fullmatch(number):
        return float(number.replace(",", ""))
    if number.count(",") + number.count(".") > 1:
        return math.nan
    return float(number.replace(",", "."))
