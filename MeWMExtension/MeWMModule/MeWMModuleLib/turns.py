"""Work that is done bit by bit, one bit a turn of the event loop, so that the window lives in between."""

from __future__ import annotations

import collections
from collections.abc import Callable, Generator, Iterator
from typing import Any

_DONE = object()


class Turns:
    """Takes events in, one a turn, and what an event begins in steps is done before the next event is taken."""

    def __init__(
        self,
        later: Callable[[Callable[[], None]], None],
        take: Callable[[Any], None],
        guarded: Callable[[Callable[[], None]], None],
    ) -> None:
        """Wire it up.

        Args:
            later: calls a function soon, from the event loop.
            take: handles one event.
            guarded: runs a step and handles what it raises.
        """
        self._later, self._take, self._guarded = later, take, guarded
        self._events: collections.deque[Any] = collections.deque()
        self._steps: Iterator[Any] | None = None
        self._waiting = False

    def add(self, event: Any) -> None:
        """Take an event in soon; several may come at once."""
        self._events.append(event)
        self._wait()

    def begin(self, steps: Iterator[Any]) -> None:
        """Do these steps before the next event; called while an event is taken."""
        self._steps = steps

    def drop_steps(self) -> None:
        """Do no further step; what was half made is taken back by the steps themselves as they are closed."""
        steps, self._steps = self._steps, None
        if isinstance(steps, Generator):
            steps.close()

    def _wait(self) -> None:
        if not self._waiting and (self._events or self._steps is not None):
            self._waiting = True
            self._later(self._turn)

    def _turn(self) -> None:
        self._waiting = False
        try:
            if self._steps is not None:
                self._guarded(self._step)
            elif self._events:
                self._take(self._events.popleft())
        finally:
            self._wait()

    def _step(self) -> None:
        assert self._steps is not None
        if next(self._steps, _DONE) is _DONE:
            self._steps = None
