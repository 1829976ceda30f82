"""What a search tells its caller while it runs, and how the caller stops it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from mewm.errors import Cancelled

if TYPE_CHECKING:
    from mewm.actions.protocol import Protocol as TaceProtocol
    from mewm.explore.result import Future, ScoredProtocol


EventKind = Literal["stage", "simulated", "scored"]


@dataclass(frozen=True)
class Event:
    """One piece of news from a running search.

    Attributes:
        kind: ``"stage"`` (what is happening now), ``"simulated"`` (the first future of a protocol is ready
            to be shown) or ``"scored"`` (a protocol has numbers, or better ones than before).
        message: one plain sentence or phrase.
        done: simulations finished so far.
        total: estimate of the simulations this search will run; it may move while the search learns.
        protocol: the protocol of ``simulated`` and ``scored``.
        future: volumes of ``simulated``.
        scored: numbers of ``scored``.
    """

    kind: EventKind
    message: str
    done: int
    total: int
    protocol: TaceProtocol | None = None
    future: Future | None = None
    scored: ScoredProtocol | None = None


OnEvent = Callable[[Event], None]


class CancelToken(Protocol):
    """Anything that can say whether the user cancelled; :class:`threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether to stop."""
        ...


def stop_if_cancelled(cancel: CancelToken | None) -> None:
    """Raise :class:`mewm.errors.Cancelled` once the user has cancelled."""
    if cancel is not None and cancel.is_set():
        raise Cancelled("The search was cancelled.")
