"""A real worker process to talk to in tests."""

import json
import queue
import subprocess
import sys
import threading

# No event of these tests is expected to take this long; a worker that stays silent must not hang the tests.
SILENCE_S = 120

QUICK = {"beams": 1, "drugs": 2, "embolics": 2, "replicas": 2}
OWN = "Epirubicin 40 mg; Lipiodol 8 ml"
TWO_PLATINUMS = "Lobaplatin 30 mg; Cisplatin 60 mg; Lipiodol 10 ml"


def of_kind(events, kind):
    """The events of one kind."""
    return [event for event in events if event["event"] == kind]


class WorkerProcess:
    """``python -m mewm.worker`` with its events in a queue; use as a context manager."""

    def __init__(self, *, code=None, stderr=subprocess.PIPE):
        command = [sys.executable, "-m", "mewm.worker"] if code is None else [sys.executable, "-c", code]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, bufsize=0
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._next = 0

    def _listen(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(SILENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def event(self):
        """The next event, ``None`` after the last."""
        line = self.lines.get(timeout=SILENCE_S)
        return None if line is None else json.loads(line)

    def write(self, line):
        self.process.stdin.write(line)

    def ask(self, method, **params):
        """Send a request and return its id."""
        self._next += 1
        request = {"id": self._next, "method": method, "params": params}
        self.write(json.dumps(request).encode() + b"\n")
        return self._next

    def until(self, identifier, *kinds):
        """Events of a request up to its answer, or up to the first of some kinds."""
        events = []
        while True:
            event = self.event()
            assert event is not None, "the worker ended"
            if event["id"] == identifier:
                events.append(event)
                if event["event"] in ("done", "error", *kinds):
                    return events

    def result(self, method, **params):
        """The result of a request that must succeed."""
        answer = self.until(self.ask(method, **params))[-1]
        assert answer["event"] == "done", answer
        return answer["result"]

    def error(self, method, **params):
        """The error of a request that must fail."""
        answer = self.until(self.ask(method, **params))[-1]
        assert answer["event"] == "error", answer
        return answer
