"""The model card of the autoencoder's bundle, written from its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ROWS = (
    ("mae_liver", "mean absolute error, liver (HU)", "≤ 8"),
    ("mae_viable", "mean absolute error, viable tumour (HU)", "≤ 12"),
    ("mae_necrosis", "mean absolute error, necrosis (HU)", "≤ 12"),
    ("mae_lipiodol", "mean absolute error, lipiodol (HU)", ""),
    ("bias_liver", "mean error, liver (HU)", ""),
    ("bias_viable", "mean error, viable tumour (HU)", ""),
    ("bias_necrosis", "mean error, necrosis (HU)", ""),
    ("oil_dice", "Dice of the region above 180 HU", "≥ 0.9"),
    ("oil_mean", "relative error of its mean HU", "within ±0.05"),
    ("contrast", "variation over the lesion relative to the truth's", "about 1"),
)


def model_card(metadata: Mapping[str, Any]) -> str:
    """Return the card in Markdown.

    Args:
        metadata: the bundle's ``configs/metadata.json``.
    """
    training, figures = metadata["training"], metadata["figures"]
    channels = metadata["network_data_format"]["outputs"]["pred"]["num_channels"]
    cohort = training["cohort"]
    rows = "\n".join(f"| {label} | {_interval(figures.get(name))} | {aim} |" for name, label, aim in _ROWS)
    return f"""# dynamics_autoencoder: CT ⇄ latents of the learned dynamics

**{metadata["notice"]}** Research use only, not a medical device.

Input: a CT on the model grid (96³ isotropic voxels around the target lesion) in Hounsfield units, of which −175 to 600
are kept. Output: 24³ latents of {channels} channels, standardised, and from latents the CT. Bottleneck:
{training["bottleneck"]}.

## Data

{cohort["cases"]} {cohort["kind"]} cases, seed {cohort["seed"]} (docs/cohort.md); trained on the CTs before and after
treatment of the {cohort["train"]} cases of the train split, best checkpoint (step {training["best_step"]} of
{training["steps"]}) chosen on the validation split.

## Figures (95 % bootstrap interval over cases of the test split, used for nothing else)

Error against {figures["reference"]}.

| figure | value | aim |
| --- | --- | --- |
{rows}

## Limits

Most of the CT's noise and whatever is finer than about two voxels are not in the latents: a decoded CT is smooth. A
post-treatment CT is therefore drawn as the scan plus the difference of two decoded CTs. Values below −175 and above
600 HU are cut off. Anatomy and treatment of the training cases are simulated; on real CTs look at the reconstruction
before you trust it.

## Reproduce

```
mewm train autoencoder --cohort cohort --config configs/train.yaml --work work --out models/dynamics_autoencoder
```

`SHA256SUMS` holds the digests of weights and configurations; loading refuses a changed file.
"""


def _interval(figure: Mapping[str, float] | None) -> str:
    if not figure or "value" not in figure:
        return "not measured"
    return f"{figure['value']:.3g} ({figure['low']:.3g} to {figure['high']:.3g}; {figure['cases']} cases)"
