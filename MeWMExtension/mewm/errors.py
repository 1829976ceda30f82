"""The one family of errors that a user of MeWM can cause and mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mewm.roles import Finding


class MewmError(Exception):
    """A user's mistake or a missing piece, told in one plain sentence.

    The message names the thing, the value found and what to do. The command line prints it without a
    traceback and exits with status 2; the worker sends it as an ``error`` event.
    """


class InputError(MewmError):
    """An image, mask, facts file or protocol that cannot be used as it is."""


class RuleViolation(InputError):
    """Clinical rules forbid a protocol, and nobody has overridden them knowingly.

    Attributes:
        findings: what forbids it, each a :class:`mewm.roles.Finding`.
    """

    def __init__(self, message: str, findings: tuple[Finding, ...]) -> None:
        super().__init__(message)
        self.findings = findings


class ResourceError(MewmError):
    """A file that ships with MeWM (action base, model bundle) is missing or was changed."""


class Cancelled(MewmError):
    """The user cancelled; nothing was written."""


def first_line(error: BaseException) -> str:
    """Return the first line of what a library says of an error, its kind where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def how_to_install(extra: str) -> str:
    """Return what to do about a package that an extra of the Python package brings, to end a message with.

    The name "mewm" is not this project's on package registries, so a command that asks them for it is never advised.
    """
    return f"run pip install -e '.[{extra}]' in MeWM's folder"
