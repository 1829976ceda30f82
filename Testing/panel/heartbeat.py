"""How long the window did not answer, measured by a timer that is due all the time."""

import time

from PySide6.QtCore import QTimer


class Heartbeat:
    """The times between two turns of the event loop.

    Wall time, and of it the panel's own processor time; the rest went to other processes of the machine.
    """

    def __init__(self):
        self.gaps = []
        self._last = time.perf_counter(), time.thread_time()
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(0)

    def _beat(self):
        now = time.perf_counter(), time.thread_time()
        self.gaps.append(tuple(1000 * (a - b) for a, b in zip(now, self._last, strict=True)))
        self._last = now

    def take(self):
        """Return the gaps since the last call and their processor times, in ms, longest first."""
        gaps, self.gaps = self.gaps, []
        return sorted(gaps, reverse=True)
