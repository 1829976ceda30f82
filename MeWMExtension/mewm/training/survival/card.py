"""The model card of a learned survival bundle, written from its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def model_card(metadata: Mapping[str, Any]) -> str:
    """Return the card in Markdown.

    Args:
        metadata: the bundle's ``configs/metadata.json``.
    """
    training, figures = metadata["training"], metadata["figures"]
    cohort = training["cohort"]
    wide = " and a linear path from the numbers to the risk" if training["wide"] else ""
    return f"""# survival_attention: cross-attention survival model ("{metadata["name"]}")

**{metadata["notice"]}** Research use only, not a medical device.

Input: a cube around the lesion in the CT before and after treatment, the lesion as drawn, the assistant's labels
(viable tumour, necrosis, lipiodol), and numbers: {", ".join(training["numbers"])}. Output: a log hazard relative
to the mean held-out patient, lower is better, and the logarithm of survival, which a run does not use. MC3-18
features of both CTs, two-way cross-attention, attention aggregator, fully connected head{wide}; Cox partial
likelihood and regression of survival.

## Data

{cohort["cases"]} {cohort["kind"]} cases, seed {cohort["seed"]} (docs/cohort.md). Learned from
{figures["learning_cases"]} cases of the train split; the checkpoint (step {training["best_step"]} of
{training["steps"]}) was chosen and calibrated on {figures["held_out_cases"]} cases with {figures["held_out_deaths"]}
deaths of the train and validation splits. The test split was not read. {training["simulated_share"]:.0%} of the
examples showed a simulated future (dynamics: {training["dynamics"]}) with the patient's own outcome. CTs were labelled
by the assistant "{training["assistant"]}": with another one the risks are less sure.

## Figures on the held-out cases, which chose the checkpoint (95 % interval)

| figure | value |
| --- | --- |
| c-index of the risk | {_interval(figures["c_index"])} |
| c-index of the regressed survival | {_interval(figures["c_index_of_regression"])} |
| calibration slope before calibration | {_interval(figures["calibration_slope_before"])} |
{_simulated(figures.get("simulated_futures"))}
These flatter, as the checkpoint was chosen by them. The test split is measured by
`python Testing/benchmarks/bench_survival.py --bundle BUNDLE --cohort DIR`; docs/training.md has what it gave for the
weights that come with MeWM.

## Limits

The world is simulated: the model recovers the hazards of that world from its CTs, it does not know what a drug does to
a patient. Treatment was given by habit and not at random. The interval of a survival curve holds the sampling error of
baseline and calibration and the spread of the futures, not the model's own error. Cases unlike the training cases are
told as such in every run.

## Reproduce

```
mewm train survival --cohort cohort --config configs/train.yaml --work work --out models/survival_attention
```

`SHA256SUMS` holds the digests of weights and configurations; loading refuses a changed file.
"""


def _simulated(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    return (
        f"| risk of simulated futures less that of the true CT | {_interval(found['risk_bias'])} |\n"
        f"| standard deviation of that difference | {found['risk_sd_of_difference']:.3f} |\n"
        f"| simulated told from true by the features (AUC, 0.5 is not) | {_interval(found['told_apart_auc'])} |\n"
    )


def _interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
