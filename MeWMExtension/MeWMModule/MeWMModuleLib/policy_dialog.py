"""Which policies the panel offers, and the dialog that shows exactly what one would send before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt

GUIDELINE = "guideline"
_SIZE = (900, 720)


def policy_choices() -> list[tuple[str, str]]:
    """Return value and label of each policy: the guideline rules first, then the endpoints that can propose.

    Connects to none and reads no key.

    Raises:
        InputError: the user's file of endpoints cannot be used.
    """
    from mewm.policy.presets import read_endpoints

    found = [
        (name, f"{name} ({'on this machine' if end.is_local else f'sends data to {end.host}'})")
        for name, end in read_endpoints().items()
        if end.vision
    ]
    return [*OFFLINE, ("paper", "paper: gpt-4o, refined by deepseek-r1 (sends data to both)"), *found]


OFFLINE = [(GUIDELINE, "Guideline rules, offline")]


class PolicyDialog:
    """Shows one payload; hears once whether the user accepts it. Closing the window is a no."""

    def __init__(self, parent: Any, payload: Mapping[str, Any], on_answer: Callable[[bool], None]) -> None:
        """Show the payload; this does not wait.

        Args:
            parent: the widget that asks.
            payload: ``result`` of the engine's request ``preview`` (docs/worker.md).
            on_answer: called with ``True`` if the user accepts, else with ``False``.
        """
        self._on_answer: Callable[[bool], None] | None = on_answer
        self.dialog = dialog = qt.QDialog(parent)
        dialog.windowTitle = "MeWM: what would be sent"
        layout = qt.QVBoxLayout(dialog)
        self.words = qt.QLabel(destination(payload))
        self.words.wordWrap = True
        layout.addWidget(self.words)
        self.browser = qt.QTextBrowser()
        self.browser.openLinks = False
        self.browser.source = qt.QUrl.fromLocalFile(payload["page"])
        layout.addWidget(self.browser)
        row = qt.QHBoxLayout()
        self.refuse = qt.QPushButton("Do not send")
        self.accept = qt.QPushButton("Send exactly this")
        # Enter must not send: whoever only wants the window gone says no.
        self.accept.autoDefault = False
        self.refuse.default = True
        row.addStretch(1)
        row.addWidget(self.refuse)
        row.addWidget(self.accept)
        layout.addLayout(row)
        self.refuse.clicked.connect(lambda *_args: self._answer(False))
        self.accept.clicked.connect(lambda *_args: self._answer(True))
        dialog.finished.connect(lambda *_args: self._answer(False))
        dialog.resize(*_SIZE)
        dialog.open()

    def close(self) -> None:
        """Take the window away and call nobody: the run was stopped meanwhile."""
        self._on_answer = None
        self._gone()

    def _answer(self, accepted: bool) -> None:
        on_answer, self._on_answer = self._on_answer, None
        if on_answer is not None:
            self._gone()
            on_answer(accepted)

    def _gone(self) -> None:
        self.dialog.close()
        # It belongs to the main window and would keep texts and pictures of the case until Slicer quits.
        self.dialog.deleteLater()


def destination(payload: Mapping[str, Any]) -> str:
    """Return who would get the payload, in words."""
    places = [
        f"{end['name']} ({end['model']}) {'on this machine' if end['local'] else 'at ' + end['host']}"
        for end in payload["endpoints"]
    ]
    return (
        f"Nothing has been sent. These texts and pictures, and nothing else of the case, would go to "
        f"{' and then '.join(places)}. Look for anything that could tell who the patient is. "
        f"Payload {payload['digest']}."
    )
