"""The button that explores and cancels, with what stands in its way or how far it has come."""

from __future__ import annotations

from typing import Any

from MeWMModuleLib.jobs import CANCELLING

_EXPLORE = "Propose, simulate and rank protocols."
_CANCEL = "Stop at once. What a search has found so far is not kept; earlier results stay."


def show_progress(ui: Any, controller: Any, reason: str) -> None:
    """Show the state of the job that runs, or what is missing to start one.

    Args:
        ui: the widgets of the panel by name.
        controller: :class:`MeWMModuleLib.run_controller.RunController`.
        reason: why a search cannot start, empty if it can or runs.
    """
    busy = controller.busy
    ui.exploreButton.text = "Cancel" if busy else "Explore"
    ui.exploreButton.toolTip = _CANCEL if busy else _EXPLORE
    ui.exploreButton.enabled = controller.state != CANCELLING and not reason
    ui.reasonLabel.text = reason
    ui.reasonLabel.visible = bool(reason)
    ui.progressBar.visible = busy
    if busy:
        fraction = controller.progress.fraction
        # A bar without a range shows that something goes on, not how far.
        ui.progressBar.maximum = 0 if fraction is None else 100
        ui.progressBar.value = round(100 * (fraction or 0.0))
    ui.progressLabel.text = controller.progress.words()
    ui.progressLabel.visible = busy
    for button in (ui.loadRunButton, ui.sampleButton, ui.setUpButton):
        button.enabled = not busy
