"""While a search runs: the newest future is shown until the user chooses one, and all is as before if it ends early."""

from __future__ import annotations

from typing import Any

from MeWMModuleLib.hidden_inputs import HiddenInputs
from MeWMModuleLib.live_run import LiveRun


class Following:
    """Turns the review to the run that fills in, and back."""

    def __init__(self, review: Any, hidden_inputs: HiddenInputs) -> None:
        """Nothing is followed yet; ``review`` is :class:`MeWMModuleLib.review_section.ReviewSection`."""
        self._review, self._hidden = review, hidden_inputs
        self._following, self._shown = False, ""
        # Run and selection that were shown before.
        self._before = ("", "")

    def begin(self, run: LiveRun) -> None:
        """Turn to a new run; the user's segments would cover its tissue."""
        parameters = self._review.parameters
        self._before = (parameters.run, parameters.selected)
        self._hidden.hide(parameters)
        self._following, self._shown = True, ""
        self._review.begin_run()
        parameters.selected = ""
        parameters.run = run.identifier

    def came(self, protocol_id: str) -> None:
        """Select the newest future, unless the user chose another."""
        if self._following and not self.user_chose():
            self.select(protocol_id)

    def select(self, protocol_id: str) -> None:
        """Select a protocol without taking it for the user's choice."""
        self._review.parameters.selected = self._shown = protocol_id

    def user_chose(self) -> bool:
        """Whether what is selected was selected by the user."""
        return self._review.parameters.selected not in ("", self._shown)

    def end(self) -> None:
        """Follow no more: the run is complete."""
        self._following, self._before = False, ("", "")

    def go_back(self) -> None:
        """Follow no more: the job ended early. If its run is gone, show what was shown before it."""
        review, (name, selected) = self._review, self._before
        self.end()
        if review.run is not None:
            return
        if name and LiveRun(review.scene, name).table is not None:
            review.parameters.selected, review.parameters.run = selected, name
            review.begin_run()
            review.forget()
            return
        self._hidden.show_again()
        # Another module's views are left alone.
        if review.panel.entered:
            review.give_views_back()
