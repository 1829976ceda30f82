"""The parameters of a request: each read once, checked, and none left over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from mewm.errors import MewmError

_MISSING = object()


class RequestError(MewmError):
    """A program's mistake: a malformed line, an unknown method or a parameter of the wrong type."""


class Fields:
    """Reads the fields of one JSON object.

    Every reader takes the field's name and a default; without a default the field is required. Where the value
    has another type they raise :class:`RequestError`. ``null`` counts as not given.
    """

    def __init__(self, values: object, where: str) -> None:
        """Read from ``values``; ``where`` names the object in messages, e.g. ``"explore"``."""
        if not isinstance(values, Mapping):
            raise RequestError(f"The {where} must be an object, not {_shown(values)}.")
        self._left = {str(key): value for key, value in values.items()}
        self._where = where

    def text(self, name: str, default: Any = _MISSING) -> Any:
        """Return a string, or the default."""
        return self._take(name, str, "a text", default)

    def whole(self, name: str, default: Any = _MISSING) -> Any:
        """Return an int, or the default."""
        return self._take(name, int, "a whole number", default)

    def identifier(self, name: str) -> str | int | None:
        """Return the id of a request, ``None`` by default."""
        value: str | int | None = self._take(name, (str, int), "the id of a request", None)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a bool."""
        return self._take(name, bool, "true or false", default)

    def items(self, name: str) -> list[Any]:
        """Return a list, empty by default."""
        return self._take(name, list, "a list", [])

    def path(self, name: str, default: Any = _MISSING) -> Any:
        """Return an absolute path, or the default.

        Raises:
            RequestError: the path is relative: the folder this process runs in says nothing to the caller.
        """
        value = self._take(name, str, "a path", default)
        if not isinstance(value, str):
            return value
        path = Path(value)
        if not path.is_absolute():
            raise RequestError(f"The parameter '{name}' of {self._where} is {value!r}; give an absolute path.")
        return path

    def fields(self, name: str, default: Any = _MISSING) -> Any:
        """Return a nested object as :class:`Fields`, or the default."""
        value = self._take(name, dict, "an object", default)
        return Fields(value, f"'{name}' of {self._where}") if isinstance(value, dict) else value

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a nested object as it is, empty by default."""
        return self._take(name, dict, "an object", {})

    def has(self, name: str) -> bool:
        """Whether a field is given."""
        return self._left.get(name) is not None

    def finish(self) -> None:
        """Make sure that every field was read.

        Raises:
            RequestError: one was not, so it would be ignored in silence.
        """
        if self._left:
            raise RequestError(f"The {self._where} takes no parameter {next(iter(self._left))!r} here; leave it out.")

    def _take(self, name: str, kind: type | tuple[type, ...], meaning: str, default: Any) -> Any:
        value = self._left.pop(name, None)
        if value is None:
            if default is _MISSING:
                raise RequestError(f"The {self._where} lacks the parameter '{name}'; give {meaning}.")
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise RequestError(f"The parameter '{name}' of {self._where} is {_shown(value)}; give {meaning}.")
        return value


def is_identifier(value: object) -> TypeGuard[str | int]:
    """Whether a value can be the id of a request: a text or a whole number."""
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
