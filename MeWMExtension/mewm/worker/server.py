"""Reads requests while one job runs: a queue of jobs, cancellation at any moment, a quiet end."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterable
from typing import Any

from mewm import __version__
from mewm.errors import Cancelled, MewmError
from mewm.worker.channel import Channel
from mewm.worker.engine import Engine
from mewm.worker.fields import Fields, RequestError, is_identifier
from mewm.worker.job import Job, described

PROTOCOL = "mewm-worker/1"
# A job looks at its cancel token between simulations. Where one takes longer, the caller is answered after this
# time; what the job still does is not heard of any more, and the next job waits for it.
CANCEL_ANSWER_S = 0.5


class Server:
    """Answers requests line by line."""

    def __init__(self, channel: Channel, engine: Engine | None = None) -> None:
        """Answer on ``channel``; ``engine`` does the work."""
        self._channel = channel
        self._engine = engine or Engine()
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # Jobs that wait or run, by id; both threads change it.
        self._open: dict[str | int, Job] = {}
        self._running: Job | None = None
        self._lock = threading.Lock()
        self._worker = threading.Thread(target=self._work, name="jobs", daemon=True)

    def serve(self, lines: Iterable[bytes]) -> None:
        """Answer requests until the lines end, a shutdown is asked for, or the reader of the events is gone."""
        self._worker.start()
        ready = {"id": None, "event": "ready", "protocol": PROTOCOL, "mewm": __version__, "pid": os.getpid()}
        self._channel.send(ready)
        for line in lines:
            if line.strip() and self._read(line):
                return
            if self._channel.closed.is_set():
                return

    def close(self, timeout: float) -> None:
        """Cancel everything and wait for the running job to leave no half-written result, at most ``timeout`` s."""
        self._cancel(None)
        self._waiting.put(None)
        if self._worker.is_alive():
            self._worker.join(timeout)

    def _read(self, line: bytes) -> bool:
        """Take one request; return whether it asks the process to end."""
        identifier: str | int | None = None
        try:
            request = _parse(line)
            given = request.get("id")
            if not is_identifier(given):
                raise RequestError("The request has no usable id; give a text or a whole number.")
            identifier = given
            method, params = request.get("method"), request.get("params")
            params = {} if params is None else params
            # Who has read the answer may use its id again, though the thread that gave it has not tidied up yet.
            if identifier in self._open and not self._open[identifier].answered:
                raise RequestError(f"The id {identifier!r} is in use; take another.")
            if method in ("cancel", "shutdown"):
                return self._answer_now(identifier, method, params)
            if method not in self._engine.methods:
                known = ", ".join([*self._engine.methods, "cancel", "shutdown"])
                raise RequestError(f"There is no method {method!r}; use one of {known}.")
            job = Job(identifier, method, params, self._channel)
            with self._lock:
                self._open[identifier] = job
            self._waiting.put(job)
        except MewmError as error:
            self._channel.send({"id": identifier, "event": "error", **described(error)})
        return False

    def _answer_now(self, identifier: str | int, method: str, params: object) -> bool:
        fields = Fields(params, method)
        target = fields.identifier("target") if method == "cancel" else None
        fields.finish()
        cancelled = self._cancel(target)
        self._channel.send({"id": identifier, "event": "done", "result": {"cancelled": cancelled}})
        return method == "shutdown"

    def _cancel(self, target: str | int | None) -> list[str | int]:
        with self._lock:
            jobs = [job for job in self._open.values() if target in (None, job.identifier)]
            running = self._running
        for job in jobs:
            job.cancelled.set()
            if job is running:
                late = threading.Timer(CANCEL_ANSWER_S, job.fail, [Cancelled("Cancelled.")])
                late.daemon = True
                late.start()
            else:
                job.fail(Cancelled("Cancelled."))
        return [job.identifier for job in jobs]

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            with self._lock:
                self._running = job
            try:
                if not job.cancelled.is_set():
                    job.done(self._engine.run(job))
            except Exception as error:
                if not isinstance(error, MewmError):
                    traceback.print_exc(file=sys.stderr)
                job.fail(error)
            with self._lock:
                self._running = None
                if self._open.get(job.identifier) is job:
                    del self._open[job.identifier]


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise RequestError("The line is not JSON; send one object a line, in UTF-8.") from None
    if not isinstance(request, dict):
        raise RequestError("The line is no JSON object; send id, method and params.")
    return request
