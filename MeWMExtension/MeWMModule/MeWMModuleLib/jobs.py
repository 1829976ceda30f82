"""What the panel asks of the engine: a job, its progress, who hears of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from MeWMModuleLib.live_run import LiveRun

Event = Mapping[str, Any]
IDLE, PREPARING, RUNNING, ASKING, CANCELLING = "idle", "preparing", "running", "asking", "cancelling"
GUIDELINE = "guideline"


@dataclass
class Progress:
    """What a job is doing.

    Attributes:
        stage: a phrase for the user.
        fraction: 0 to 1, ``None`` while unknown.
        left_s: estimate of the seconds left, ``None`` while unknown.
    """

    stage: str = ""
    fraction: float | None = None
    left_s: float | None = None

    def words(self) -> str:
        """Return stage and time left, e.g. ``"Racing the contenders, about 20 s left"``."""
        if self.left_s is None:
            return self.stage
        seconds = max(self.left_s, 0.0)
        left = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
        return f"{self.stage}, about {left} left"


@dataclass
class Listener:
    """Who hears of a job; every field may be replaced.

    Attributes:
        changed: state or progress changed.
        rows: the ranking of a run changed.
        future: a protocol of a run can be shown: run and protocol identifier.
        finished: a job ended well: its kind, the run or ``None``, and the engine's result.
        failed: a job ended early: a sentence, and whether the user wanted it so.
        confirm: what a policy model would be sent has to be accepted: the payload, and what to call with the answer.
    """

    changed: Callable[[], None] = lambda: None
    rows: Callable[[LiveRun], None] = lambda run: None
    future: Callable[[LiveRun, str], None] = lambda run, protocol_id: None
    finished: Callable[[str, LiveRun | None, Event], None] = lambda kind, run, result: None
    failed: Callable[[str, bool], None] = lambda sentence, wanted: None
    confirm: Callable[[Event, Callable[[bool], None]], None] = lambda payload, answer: answer(False)


@dataclass
class Job:
    """What is asked of the engine, from the click to the answer.

    Attributes:
        kind: the request's method.
        nodes: what the job needs of the scene, by a name for the user.
        run: the run it adds to.
        made_run: whether it began that run.
        had: protocols of the run whose volumes were there before.
        rows: rows of this job by protocol.
        before: rows of the run before.
        request: identifier of the request, ``None`` while the engine has nothing to do for it.
        then: takes the result of a request that is not the job's last.
    """

    kind: str
    nodes: dict[str, Any] = field(default_factory=dict)
    run: LiveRun | None = None
    made_run: bool = False
    had: frozenset[str] = frozenset()
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: list[dict[str, Any]] = field(default_factory=list)
    request: Any = None
    then: Callable[[Event], None] | None = None

    def left(self) -> str:
        """Return what is left in the scene when the job ends early, as the end of a sentence."""
        adds = self.run is not None and not self.made_run
        return "the protocols that were there stay" if adds else "nothing was kept"


def provisional(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Order rows by risk, complete protocols first, and rank those; a step on the way has no rank."""
    ordered = sorted(rows, key=lambda row: (not row.get("complete", True), row["risk"]))
    return [
        {**row, "folder": row.get("folder", ""), "rank": place if row.get("complete", True) else 0}
        for place, row in enumerate(ordered, start=1)
    ]
