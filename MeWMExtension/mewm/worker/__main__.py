"""``python -m mewm.worker``: requests on stdin, events on stdout, everything else on stderr."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import BinaryIO

from mewm.worker.channel import Channel
from mewm.worker.server import Server

# How long a job may take to notice that the process ends; whatever it holds then ends with the process.
LAST_WORDS_S = 0.8
NICE = 5
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    """Serve until stdin closes, a shutdown is asked for, the reader is gone, or the process is told to end."""
    requests, events = _take_over_streams()
    # Where cores are few, the window of whoever asked comes first. Windows has no such call.
    if hasattr(os, "nice"):
        os.nice(NICE)
    # The thread that finds the reader gone may be the one whose job has to end.
    server = Server(Channel(events, on_closed=lambda: threading.Thread(target=_leave, args=[server]).start()))
    try:
        for number in _SIGNALS:
            signal.signal(number, _end)
        server.serve(requests)
    except _End:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    _leave(server)


def _leave(server: Server) -> None:
    server.close(LAST_WORDS_S)
    sys.stderr.flush()
    # A job inside a long computation cannot be joined, and must not outlive the caller.
    os._exit(0)


class _End(Exception):
    """The process was told to end."""


def _end(*_signal: object) -> None:
    raise _End


def _take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for the protocol; what libraries print goes to stderr, also from C++."""
    requests = os.fdopen(os.dup(0), "rb")
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, events


if __name__ == "__main__":
    main()
