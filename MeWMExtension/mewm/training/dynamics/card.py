"""The model card of a dynamics bundle, written from its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_AIMS = {"viable_fraction": "≥ 0.85", "lipiodol_fraction": "≥ 0.85"}
_ACTIONS = {
    "full": "text and concept embeddings of the agents",
    "text": "text of the sub-actions alone",
    "none": "none: the protocol is hidden",
}
_OUTCOME = {
    True: " Viable and oily share and volume of the lesion afterwards are drawn first, from lesion and protocol, and "
    "told to the denoiser.",
    False: "",
}
_LESION = {True: "with and without the lesion", False: "without the lesion"}


def model_card(metadata: Mapping[str, Any]) -> str:
    """Return the card in Markdown.

    Args:
        metadata: the bundle's ``configs/metadata.json``.
    """
    training, figures = metadata["training"], metadata["figures"]
    cohort = training["cohort"]
    rows = "\n".join(
        f"| {name} | {_interval(value['pearson'])} | {_AIMS.get(name, '≥ 0.95')} | {_interval(value['bias'])} |"
        for name, value in figures.items()
        if isinstance(value, Mapping)
    )
    return f"""# {metadata["name"]}

**{metadata["notice"]}** Research use only, not a medical device.

Input: latents of a CT around the target lesion (`dynamics_autoencoder`) {_LESION[bool(training["see_lesion"])]}, the
lesion's mask, noise, a TACE protocol, seen as: {_ACTIONS[training["action"]]}. Output: latents of the CT some weeks
after; one noise, one future.{_OUTCOME[bool(training.get("outcome_head"))]} Weight of the contrastive loss:
{training["contrastive_weight"]:g}.

## Data

{cohort["cases"]} {cohort["kind"]} cases, seed {cohort["seed"]} (docs/cohort.md), with one treated future each; trained
on the {cohort["train"]} cases of the train split, best checkpoint (step {training["best_step"]} of {training["steps"]})
chosen on the validation split. The text tower was trained on phrases of actions; it saw no outcome.

## Figures ({figures["cases"]} cases of the test split, used for nothing else; 95 % bootstrap interval over cases)

One simulated future a case under the as-treated protocol, read by the intensity assistant, against the true labels.

| quantity | correlation | aim | bias |
| --- | --- | --- | --- |
{rows}

One future takes {figures["denoiser_calls"]} calls of the denoiser, {figures["seconds_a_future"]:g} s on
{figures["device"]} with {figures["threads"]} threads, decoding included.

## Limits

The world that it was trained in is simulated: it says what that world does, not what a drug does to a patient. Agents,
doses and lesions unlike those of the training cases are guesses. Values above 600 HU are cut off.

## Reproduce

```
mewm train dynamics --cohort cohort --config configs/train.yaml --work work --out models/dynamics_diffusion
```

`SHA256SUMS` holds the digests of weights and configurations; loading refuses a changed file.
"""


def _interval(figure: Mapping[str, float | None]) -> str:
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    if value is None:
        return "not defined"
    return f"{value:.3g}" if low is None or high is None else f"{value:.3g} ({low:.3g} to {high:.3g})"
