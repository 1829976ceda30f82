"""What a search reports, turned into events: progress, rows as they are scored, volumes worth showing."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm.actions import rules
from mewm.actions.text import render_protocol
from mewm.image_write import write_image
from mewm.rows import protocol_id, protocol_row, survival_values
from mewm.worker.job import Job

if TYPE_CHECKING:
    from mewm.actions.formulary import Formulary
    from mewm.actions.protocol import Protocol
    from mewm.case import Case
    from mewm.explore.events import Event
    from mewm.explore.result import Future
    from mewm.roi import Roi
    from mewm.roles import SurvivalModel

# Shares of a job's whole time that reading the case and searching end at, as measured on an ordinary CT.
READ, SEARCHED = 0.03, 0.9
# A rate from fewer simulations says too little about the time left.
_ENOUGH = 3


class Progress:
    """Sends ``progress`` events whose fraction never falls."""

    def __init__(self, job: Job, expected: int = 0) -> None:
        """Begin to count the time.

        Args:
            job: whose events are sent.
            expected: simulations the whole search will take, as far as its settings tell. A search counts what its
                next steps need only, so a fraction of that would be near its end after the first step.
        """
        self._job = job
        self._expected = expected
        self._begun = time.monotonic()
        self._fraction = 0.0
        self._first: tuple[int, float] | None = None
        self._writing = 0.0

    def stage(self, message: str, fraction: float, done: int = 0, total: int = 0, left: float | None = None) -> None:
        """Say what happens now; ``fraction`` is of the whole job, ``left`` in seconds."""
        self._fraction = max(self._fraction, min(fraction, 1.0))
        self._job.send(
            "progress",
            stage=message,
            fraction=round(self._fraction, 4),
            done=done,
            total=total,
            elapsed_s=round(time.monotonic() - self._begun, 2),
            left_s=None if left is None else round(left, 1),
        )

    def simulations(self, message: str, done: int, total: int) -> None:
        """Say how far the simulations are."""
        now = time.monotonic()
        total = max(total, self._expected)
        if self._first is None:
            self._first = (done, now)
        counted = done - self._first[0]
        left = None
        if counted >= _ENOUGH:
            left = (now - self._first[1]) / counted * (total - done)
        self.stage(message, READ + (SEARCHED - READ) * done / max(total, 1), done, total, left)

    def volumes(self, done: int, total: int) -> None:
        """Say that the volumes of another protocol are written."""
        now = time.monotonic()
        if done == 0:
            self._writing = now
        left = (now - self._writing) / done * (total - done) if done else None
        message = f"Writing the volumes of protocol {done + 1} of {total}"
        self.stage(message, SEARCHED + (1 - SEARCHED) * done / max(total, 1), left=left)


class Stream:
    """Receives the events of a search (:class:`mewm.explore.events.Event`) and sends what the caller can show."""

    def __init__(
        self,
        job: Job,
        progress: Progress,
        case: Case,
        roi: Roi,
        folder: Path,
        formulary: Formulary,
        own: Collection[Protocol],
        survival: SurvivalModel,
    ) -> None:
        """Prepare one search.

        Args:
            job: whose events are sent.
            progress: is told how far the simulations are.
            case: the case.
            roi: the case on the model grid.
            folder: the run folder; volumes go to ``live/`` in it.
            formulary: agents that can be given.
            own: protocols that the user wrote.
            survival: the model that scores, asked for survival curves.
        """
        self._job = job
        self._progress = progress
        self._case = case
        self._roi = roi
        self._folder = folder
        self._formulary = formulary
        self._own = {protocol.key for protocol in own}
        self._survival = survival
        self._stage = ""
        self._shown: set[tuple] = set()
        self._latest: tuple[Protocol, Future] | None = None
        self._lowest = float("inf")

    def __call__(self, event: Event) -> None:
        """Receive one event of the search."""
        if event.kind == "stage":
            self._stage = event.message
        elif event.kind == "simulated" and event.protocol is not None and event.future is not None:
            self._latest = (event.protocol, event.future)
            if not self._shown or event.protocol.key in self._own:
                self.show(*self._latest)
        elif event.scored is not None:
            self._send_row(event)
        self._progress.simulations(self._stage, event.done, event.total)

    def show(self, protocol: Protocol, future: Future) -> None:
        """Write the changed part of a future and say where it is; once a protocol."""
        from mewm.roi import ct_patch, tissue_patch

        if protocol.key in self._shown:
            return
        ct = ct_patch(self._case, self._roi, future.ct)
        tissue = tissue_patch(self._case, self._roi, future.tissue)
        if ct is None or tissue is None:
            return
        name = protocol_id(protocol)
        target = self._folder / "live" / name
        target.mkdir(parents=True, exist_ok=True)
        files = {"ct": target / "ct.nrrd", "tissue": target / "tissue.nrrd"}
        write_image(ct[0], files["ct"], compress=False)
        write_image(tissue[0], files["tissue"], compress=False)
        self._shown.add(protocol.key)
        self._job.send(
            "simulated",
            protocol_id=name,
            protocol=render_protocol(protocol),
            complete=rules.is_complete(protocol),
            files={key: str(path) for key, path in files.items()},
            box={"index": ct[1], "size": list(ct[0].GetSize())},
        )

    def _send_row(self, event: Event) -> None:
        assert event.scored is not None
        protocol = event.scored.protocol
        own = protocol.key in self._own
        findings = rules.check(protocol, self._case.facts, self._formulary)
        scored = replace(event.scored, findings=findings)
        row: dict[str, Any] = protocol_row(scored, rank=None, own=own)
        row |= survival_values(self._survival, scored.risks)
        self._job.send("scored", row=row)
        if scored.complete and scored.risk < self._lowest:
            self._lowest = scored.risk
            if self._latest is not None and self._latest[0].key == protocol.key:
                self.show(*self._latest)
