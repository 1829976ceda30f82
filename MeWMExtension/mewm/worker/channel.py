"""Events out, one JSON object a line, from any thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO


class Channel:
    """Writes events; once the reader is gone it stays silent.

    Attributes:
        closed: set when the reader is gone.
    """

    def __init__(self, stream: BinaryIO, on_closed: Callable[[], None] = lambda: None) -> None:
        """Write to an unbuffered binary stream; ``on_closed`` is called once, when the reader is gone."""
        self.closed = threading.Event()
        self._stream = stream
        self._on_closed = on_closed
        self._lock = threading.Lock()

    def send(self, event: Mapping[str, Any]) -> None:
        """Write one event, whole, before any other.

        Raises:
            ValueError: a number in it is not finite.
        """
        line = json.dumps(event, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"
        with self._lock:
            if self.closed.is_set():
                return
            try:
                # An unbuffered stream may take a part of a long line.
                view = memoryview(line)
                while view:
                    view = view[self._stream.write(view) or 0 :]
            except OSError:
                self.closed.set()
                self._on_closed()
