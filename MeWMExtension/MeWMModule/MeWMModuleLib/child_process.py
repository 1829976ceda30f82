"""One child process that speaks in lines, on Qt's event loop; nothing here waits except for the very end."""

from __future__ import annotations

import collections
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# How long the child may take to end by itself when the application quits, and to be dead once it is killed.
CLOSE_MS, KILL_MS = 1500, 2000
# QProcess.FailedToStart
FAILED_TO_START = 0
_LOG_LINES = 40


@dataclass(frozen=True)
class Launch:
    """How to start the child.

    Attributes:
        program: path of the executable.
        arguments: its arguments.
        environment: its whole environment.
    """

    program: str
    arguments: tuple[str, ...]
    environment: dict[str, str]


class ChildProcess:
    """A running child; made for one life.

    Only what PythonQt and PySide share is used of Qt. A signal may bring more arguments in one than in the other.
    """

    def __init__(
        self,
        launch: Launch,
        make_process: Callable[[], Any],
        on_line: Callable[[bytes], None],
        on_end: Callable[[ChildProcess], None],
        on_log: Callable[[str], None],
    ) -> None:
        """Start the child.

        Args:
            launch: what to start.
            make_process: returns a new ``QProcess``.
            on_line: receives each line of its standard output.
            on_end: called once when it has ended or could not be started.
            on_log: receives each line of its standard error.
        """
        self._on_line = on_line
        self._on_end = on_end
        self._on_log = on_log
        self._buffers = {"out": b"", "log": b""}
        self._log: collections.deque[str] = collections.deque(maxlen=_LOG_LINES)
        self._ended = False
        self._process = make_process()
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.readyReadStandardError.connect(self._read_log)
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._failed)
        self._process.setEnvironment([f"{name}={value}" for name, value in launch.environment.items()])
        self._process.start(launch.program, list(launch.arguments))

    @property
    def ended(self) -> bool:
        """Whether it has ended or could not be started."""
        return self._ended

    @property
    def pid(self) -> int:
        """Identifier of the process, 0 when it does not run."""
        return int(self._process.processId())

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines of its standard error."""
        return tuple(self._log)

    def send(self, line: bytes) -> None:
        """Write a line to its standard input, now or once it has started."""
        if not self._ended:
            self._process.write(line)

    def abandon(self) -> None:
        """Kill it and hear nothing more of it; ``on_end`` is called when it is dead."""
        self._on_line = _nothing
        if not self._ended:
            self._process.kill()

    def close(self) -> None:
        """End it before the application goes: it may finish its last word, and is killed if that takes long."""
        self._on_line = _nothing
        if self._ended:
            return
        self._process.closeWriteChannel()
        if not self._process.waitForFinished(CLOSE_MS):
            self._process.kill()
            self._process.waitForFinished(KILL_MS)

    def _read(self, *_: object) -> None:
        for line in self._lines("out", self._process.readAllStandardOutput()):
            self._on_line(line)

    def _read_log(self, *_: object) -> None:
        for line in self._lines("log", self._process.readAllStandardError()):
            text = line.decode("utf-8", "replace").rstrip()
            self._log.append(text)
            self._on_log(text)

    def _lines(self, name: str, data: Any) -> list[bytes]:
        """Return the lines that are whole; one read may bring several and the half of one."""
        *whole, self._buffers[name] = (self._buffers[name] + bytes(data.data())).split(b"\n")
        return whole

    def _finished(self, *_: object) -> None:
        if self._ended:
            return
        self._read()
        self._read_log()
        self._ended = True
        self._on_end(self)

    def _failed(self, *error: object) -> None:
        # A child that could not be started never finishes; after any other error it still does, or goes on.
        if error and _number(error[0]) == FAILED_TO_START:
            self._finished()


def _number(value: object) -> object:
    """Return an enumeration's number: PythonQt's are ints, PySide's are not."""
    return getattr(value, "value", value)


def _nothing(_line: bytes) -> None:
    return None
