"""The panel's side of the engine process (docs/worker.md): one owner, event-driven, never waiting.

The process starts with the first request, lives on for the next, and is started again after it died. A request
always gets exactly one answer: ``done`` or ``error`` from the engine, or an ``error`` from here when the engine
ended or did not let itself be cancelled.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mewm.errors import MewmError
from MeWMModuleLib.child_process import ChildProcess, Launch

Event = Mapping[str, Any]
OnEvent = Callable[[Event], None]

# A cancelled request that is not answered within two ticks is answered here and the process killed. Two, because
# after a busy moment of the window the first tick may come before the answer that already lies in the pipe.
TICK_MS = 400
_TICKS = 2

_logger = logging.getLogger("MeWM.engine")


@dataclass
class _Request:
    on_event: OnEvent
    cancelled_for: int | None = None


class Engine:
    """Sends requests to the engine process and hands its events to whoever asked."""

    def __init__(
        self,
        launch: Callable[[], Launch],
        make_process: Callable[[], Any],
        make_timer: Callable[[], Any],
        on_state: Callable[[], None] = lambda: None,
    ) -> None:
        """Start nothing yet.

        Args:
            launch: tells how to start the process, asked at every start; may raise
                :class:`mewm.errors.MewmError` with a sentence for the user.
            make_process: returns a new ``QProcess``.
            make_timer: returns a new ``QTimer``.
            on_state: called when the process has started or ended.
        """
        self._launch = launch
        self._make_process = make_process
        self._on_state = on_state
        self._child: ChildProcess | None = None
        # Every process of this engine. Qt must not lose one that is dying, nor inside one of its own signals (which
        # may be as deep as a message box that tells of it), so they are kept; there is one more a crash.
        self._children: list[ChildProcess] = []
        self._ready = False
        self._requests: dict[int, _Request] = {}
        self._last = 0
        self._timer = make_timer()
        self._timer.timeout.connect(self._tick)

    @property
    def running(self) -> bool:
        """Whether the process runs or is starting."""
        return self._child is not None

    @property
    def pid(self) -> int:
        """Identifier of the process, 0 when none runs."""
        return self._child.pid if self._child else 0

    def request(self, method: str, params: Mapping[str, Any], on_event: OnEvent) -> int:
        """Send a request, starting the process if need be.

        Args:
            method: see docs/worker.md.
            params: its parameters.
            on_event: receives the events of this request, the last is ``done`` or ``error``; never called before
                this method has returned.

        Returns:
            The identifier of the request, for :meth:`cancel`.

        Raises:
            MewmError: the process cannot be started, in one sentence for the user.
        """
        child = self._running_child()
        self._last += 1
        identifier = self._last
        self._requests[identifier] = _Request(on_event)
        self._send(child, identifier, method, params)
        return identifier

    def cancel(self, identifier: int) -> None:
        """Cancel a request; it is answered within a second. Does nothing for one that was answered."""
        request = self._requests.get(identifier)
        if request is None or request.cancelled_for is not None or self._child is None:
            return
        request.cancelled_for = 0
        self._last += 1
        self._send(self._child, self._last, "cancel", {"target": identifier})
        self._timer.start(TICK_MS)

    def restart(self) -> None:
        """End the process, so that the next request starts another: the user chose another Python."""
        self._abandon("The engine was restarted; try again.")

    def close(self) -> None:
        """End the process and tell nobody: the module is reloaded or the application quits."""
        self._requests.clear()
        self._timer.stop()
        self._child = None
        for child in self._children:
            child.close()

    def _running_child(self) -> ChildProcess:
        if self._child is None:
            self._ready = False
            child = ChildProcess(self._launch(), self._make_process, self._on_line, self._on_end, _logger.info)
            # Windows tells at once that a program cannot be started, other systems later.
            if child.ended:
                raise MewmError(_why_it_ended(child, was_ready=False))
            self._child = child
            self._children.append(child)
            self._on_state()
        return self._child

    @staticmethod
    def _send(child: ChildProcess, identifier: int, method: str, params: Mapping[str, Any]) -> None:
        line = json.dumps({"id": identifier, "method": method, "params": params}, ensure_ascii=False, allow_nan=False)
        child.send(line.encode("utf-8") + b"\n")

    def _on_line(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            identifier, kind = event["id"], event["event"]
        except (ValueError, KeyError, TypeError):
            _logger.error("The engine sent a line that is no event: %r", line[:200])
            return
        if kind == "ready":
            self._ready = True
        request = self._requests.get(identifier)
        if request is None:
            if identifier is None and kind == "error":
                _logger.error("The engine did not understand a request: %s", event.get("message"))
            return
        if kind in ("done", "error"):
            del self._requests[identifier]
        _tell(request, event)

    def _on_end(self, child: ChildProcess) -> None:
        if child is not self._child:
            return
        self._child = None
        self._answer_all(_why_it_ended(child, self._ready))
        self._on_state()

    def _tick(self) -> None:
        waiting = [request for request in self._requests.values() if request.cancelled_for is not None]
        if not waiting:
            self._timer.stop()
            return
        for request in waiting:
            request.cancelled_for = (request.cancelled_for or 0) + 1
        if any((request.cancelled_for or 0) >= _TICKS for request in waiting):
            self._abandon("The engine was stopped because it did not answer; try again.")

    def _abandon(self, sentence: str) -> None:
        self._timer.stop()
        child, self._child = self._child, None
        if child is not None:
            child.abandon()
            self._on_state()
        self._answer_all(sentence)

    def _answer_all(self, sentence: str) -> None:
        """Answer what the process can answer no more."""
        requests, self._requests = self._requests, {}
        for identifier, request in requests.items():
            error = {"kind": "engine", "message": sentence}
            if request.cancelled_for is not None:
                error = {"kind": "cancelled", "message": "Cancelled."}
            _tell(request, {"id": identifier, "event": "error", **error})


def _tell(request: _Request, event: Event) -> None:
    """Hand an event on; a mistake in the panel must not cost the events after it."""
    try:
        request.on_event(event)
    except Exception:
        _logger.exception("The panel failed on the event %s", event.get("event"))


def _why_it_ended(child: ChildProcess, was_ready: bool) -> str:
    """Return the sentence for the user about a process that ended by itself."""
    if was_ready:
        return "The engine stopped unexpectedly (it may have run out of memory); try again."
    missing = next((line for line in reversed(child.log) if "ModuleNotFoundError" in line), "")
    if missing:
        name = missing.rsplit("'", 2)[1] if missing.count("'") >= 2 else missing
        return f"The engine's Python lacks the package {name}; install what MeWM needs or choose another Python."
    told = f" ({child.log[-1]})" if child.log else ""
    return f"The engine could not be started{told}; choose another Python in the advanced settings."
