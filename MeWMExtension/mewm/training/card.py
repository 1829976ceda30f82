"""The model card of the Cox bundle, written from the figures of its fit."""

from __future__ import annotations

from typing import Any

_MEANING = {
    "log_viable_ml": "log(1 + ml) of viable tumour after treatment",
    "viable_share": "its volume over the lesion's before treatment",
    "treatment_burden": "toxicity of drugs and embolics by dose, times (0.5 + liver impairment)",
    "liver_impairment": "0 at Child-Pugh A5, 1 more for two points; from ALBI where Child-Pugh is not stated",
    "log_afp": "logarithm of AFP in ng/ml",
    "portal_vein_thrombosis": "any, 0 or 1",
    "multinodular": "more than one lesion, 0 or 1",
    "ecog": "performance status, 0–4",
}

_CONCORDANCES = ("c_index_cross_validated", "c_index_oracle_train", "c_index_test", "c_index_oracle_test")


def model_card(bundle: dict[str, Any]) -> str:
    """Return the card in Markdown.

    Args:
        bundle: contents of ``cox.json``.
    """
    figures, source = bundle["figures"], bundle["provenance"]
    cohort = source["cohort"]
    c = {name: _interval(figures.get(name)) for name in _CONCORDANCES}
    rows = "\n".join(
        f"| `{name}` | {_MEANING[name]} | {row['coefficient']:+.3f} ± {row['standard_error']:.3f} | {row['mean']:.2f} |"
        for name, row in bundle["covariates"].items()
    )
    commands = "\n".join(source["command"])
    return f"""# survival_cox: Cox regression on viable volume, treatment and clinical facts

**{bundle["notice"]}** Research use only, not a medical device.

Input: the pre-treatment lesion, the tissue labels of a (simulated) post-treatment CT, the protocol and the clinical
facts. Output: a log partial hazard (lower is better, 0 at the means below), survival curves with 95 % intervals, the
probability to live one and two years, the predicted median survival and the share of each covariate. A fact that is
not stated takes the training median and is marked "(not stated)" among the contributions.

## Data

{cohort["cases"]} {cohort["kind"]} cases, seed {cohort["seed"]} (docs/cohort.md); fitted on the train split,
{figures["train_cases"]} cases with {figures["train_deaths"]} deaths. The tissue was read from the CT by the intensity
assistant, as in the application, not taken from the truth.

## Coefficients

| covariate | meaning | log hazard ratio a unit ± standard error | mean |
| --- | --- | --- | --- |
{rows}

lifelines `CoxPHFitter`, ridge penalty {source["penalizer"]}, Breslow baseline on a weekly grid.

## Figures (Harrell's c-index, 95 % bootstrap interval)

| cases | this model | true hazard (ceiling) |
| --- | --- | --- |
| train, 5-fold cross-validated | {c["c_index_cross_validated"]} | {c["c_index_oracle_train"]} |
| test ({figures["test_cases"]} cases, used for nothing else) | {c["c_index_test"]} | {c["c_index_oracle_test"]} |

## Limits

The world is simulated: the coefficients say how well the hazards of that world can be recovered from its CTs, not what
a drug does to a patient. Treatment was given by habit and not at random, so the coefficients are associations. The
clinical facts have the marginals of one series from one hospital. One target lesion is seen; other lesions count only
by their number. Nothing here was fitted to, or tested on, a real patient's images.

## Reproduce

```
{commands}
```

`SHA256SUMS` holds the digest of `cox.json`; loading refuses a changed file.
"""


def _interval(figure: dict[str, float] | None) -> str:
    return "not computed" if figure is None else f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"
