"""One request while it waits and runs: its events, its cancellation, and its one answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from mewm.errors import Cancelled, MewmError, ResourceError, RuleViolation
from mewm.worker.channel import Channel
from mewm.worker.fields import RequestError


class Job:
    """A request on its way through the process; usable from several threads.

    Attributes:
        identifier: the request's ``id``.
        method: what is asked for.
        params: the request's parameters as they came.
        cancelled: set once the caller has cancelled; it is the search's cancel token.
    """

    def __init__(self, identifier: str | int, method: str, params: object, channel: Channel) -> None:
        """Take a request; nothing runs yet."""
        self.identifier = identifier
        self.method = method
        self.params = params
        self.cancelled = threading.Event()
        self._channel = channel
        self._answered = False
        self._lock = threading.Lock()

    def send(self, event: str, **fields: Any) -> None:
        """Send news; nothing is sent after the answer."""
        with self._lock:
            if not self._answered:
                self._channel.send({"id": self.identifier, "event": event, **fields})

    @property
    def answered(self) -> bool:
        """Whether the answer is out; waits for it while it is on its way."""
        with self._lock:
            return self._answered

    def done(self, result: Mapping[str, Any]) -> None:
        """Answer with a result, unless the job was answered already."""
        self._answer({"id": self.identifier, "event": "done", "result": result})

    def fail(self, error: BaseException) -> None:
        """Answer with an error in one sentence, unless the job was answered already."""
        self._answer({"id": self.identifier, "event": "error", **described(error)})

    def _answer(self, event: Mapping[str, Any]) -> None:
        with self._lock:
            if not self._answered:
                self._channel.send(event)
                self._answered = True


def described(error: BaseException) -> dict[str, Any]:
    """Return the fields of an ``error`` event (docs/worker.md) for an exception."""
    if isinstance(error, RuleViolation):
        findings = [
            {"rule": f.rule, "severity": f.severity, "message": f.message, "source": f.source, "agents": list(f.agents)}
            for f in error.findings
        ]
        return {"kind": "rules", "message": str(error), "findings": findings}
    kinds = ((RequestError, "request"), (Cancelled, "cancelled"), (ResourceError, "resource"), (MewmError, "input"))
    for family, kind in kinds:
        if isinstance(error, family):
            return {"kind": kind, "message": str(error)}
    if isinstance(error, ModuleNotFoundError) and error.name:
        name = error.name.split(".")[0]
        return {
            "kind": "resource",
            "message": f"The engine's Python lacks the package {name}; install it and try again.",
        }
    if isinstance(error, MemoryError):
        return {"kind": "memory", "message": "Not enough memory; close other programs or use fewer replicas."}
    if isinstance(error, OSError):
        what = f" ({error.filename})" if error.filename else ""
        return {"kind": "disk", "message": f"{error.strerror or error}{what}; check the folder and the free space."}
    name = type(error).__name__
    return {
        "kind": "internal",
        "message": f"The engine met an error it did not expect ({name}); its log tells the details.",
    }
