"""The JSON object in a model's answer, found and checked. The text is data: nothing in it is acted upon."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel

_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_MOST_STARTS = 200

ModelT = TypeVar("ModelT", bound="BaseModel")


class Unreadable(ValueError):
    """An answer that is no JSON object of the wanted shape; the message says what is wrong with it."""


def read_answer(text: str, shape: type[ModelT]) -> ModelT:
    """Return the answer as data.

    Reasoning between ``<think>`` tags, code fences and words around the object are passed over. Of several
    objects the first of the wanted shape counts.

    Raises:
        Unreadable: the text holds no JSON object, or none of the wanted shape.
    """
    from pydantic import ValidationError

    problem = "holds no JSON object"
    for value in _objects(_THOUGHT.sub("", text)):
        try:
            return shape.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"][:4])
            problem = f"has another form than asked for ({plain(place, 60)}: {plain(first['msg'], 80)})"
    raise Unreadable(problem)


def plain(text: str, most: int) -> str:
    """Return foreign text fit for a line: no control or formatting characters, at most ``most`` characters."""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp") else c for c in text)
    kept = " ".join(kept.split())
    return kept if len(kept) <= most else kept[: most - 1].rstrip() + "…"


def _objects(text: str) -> Any:
    decoder = json.JSONDecoder(parse_constant=_no_number)
    start, tried = text.find("{"), 0
    while start >= 0 and tried < _MOST_STARTS:
        tried += 1
        try:
            value, end = decoder.raw_decode(text, start)
            yield value
        except (ValueError, RecursionError):
            end = start + 1
        start = text.find("{", end)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
