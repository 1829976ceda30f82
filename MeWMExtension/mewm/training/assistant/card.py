"""The model card of an nnU-Net's bundle, written from its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_AIMS = {"whole liver": "≥ 0.95", "viable": "≥ 0.85", "lipiodol": "≥ 0.85"}
_SEES = {
    "post": "the CT after treatment",
    "soft": "the CT after treatment in a soft tissue window",
    "pre": "the CT before treatment",
    "lesion": "the drawn lesion",
    "change": "the smoothed change of soft tissue between the two CTs",
}
_WHAT = {
    "post": """Labels liver, viable tumour, necrosis and lipiodol of a (simulated) CT after treatment, in the lesion's
region of the model grid (docs/architecture.md). It counts in voxels of that grid, whatever they measure.""",
    "pre": """Proposes masks of liver and tumour on a CT before treatment, for a user who has drawn none. Whatever it
proposes is marked as proposed and has to be checked.""",
}
_KINDS = {"true": "follow-up CT", "simulated": "simulator's CT"}
_MEASURED = {
    "post": """Within the lesion's box and 12 mm around it. A tissue with fewer than 30 voxels in truth and reading
gives no figure; as that depends on the reader too, two readers' means are not over quite the same cases. The
intensity assistant is given the liver; the network finds it. Follow-up CT: the one that belongs to the case of the
cohort, with hidden sensitivities and a noise of its own. Simulator's CT: what the mechanistic simulator makes of the
case.""",
    "pre": """In the whole region of 96 voxels around the lesion, as the network answers: without the largest connected
liver and the smallest tumours that a user's proposal is reduced to.""",
}
_LIMITS = {
    "post": """It was trained on simulated cases; on real follow-up CTs nothing is known but what a user measures.
The CT before treatment and the drawn lesion are on the same grid as the CT after it, as they are for a simulation: an
unregistered follow-up scan is not what it was made for.""",
    "pre": """It was trained on regions of 96 voxels around a simulated lesion, never on a whole CT: organs far from the
liver (pelvis, thorax) were hardly seen, and a CT without any tumour not at all. On whole CTs expect false
tumours and a liver with holes; the largest connected liver is kept and tumours only within it. Figures are on such
regions.""",
}


def model_card(metadata: Mapping[str, Any]) -> str:
    """Return the card in Markdown.

    Args:
        metadata: the bundle's ``configs/metadata.json``.
    """
    training = metadata["training"]
    task, cohort = training["task"], training["cohort"]
    seen = ", ".join(_SEES[word] for word in training["channels"])
    simulated = (
        f" For {training['simulated']:.0%} of them also a simulated CT under another case's protocol."
        if training["simulated"]
        else ""
    )
    grown = (
        f" Images whose tumour grew out of the drawn lesion count {training['grown']} times."
        if training["grown"] > 1
        else ""
    )
    redrawn = (
        f" In {training['redrawn']:.0%} of the patches the drawn lesion's border is moved by up to 3 voxels."
        if training["redrawn"]
        else ""
    )
    flag = " --task pre" if task == "pre" else ""
    return f"""# {metadata["task"]}: nnU-Net v2

**{metadata["notice"]}** Research use only, not a medical device.

{_WHAT[task]} Input: {seen}.

## Data

{cohort["cases"]} {cohort["kind"]} cases, seed {cohort["seed"]} (docs/cohort.md); trained on {cohort["train"]} cases
of the train split.{simulated}{grown}{redrawn} {training["epochs"]} of {training["epochs_planned"]} epochs of
{training["iterations"]} steps, seed {training["seed"]}. The val split was watched, the test split used for the figures
only.

## Figures: Dice, mean over cases (95 % bootstrap interval)

{_tables(metadata["figures"])}

{_MEASURED[task]}

## Limits

{_LIMITS[task]}

## Files

`nnunet/` is nnU-Net's model folder (`dataset.json`, `plans.json`, `fold_0`); its weights are
`models/model.safetensors`, 16 bits. `mewm.assistant.network.write_nnunet_folder` writes them as the
`checkpoint_final.pth` that nnU-Net's own commands read.
`SHA256SUMS` holds the digests; loading refuses a changed file.

## Reproduce

```
mewm train assistant{flag} --cohort cohort --config configs/train.yaml --work work --out bundle
```
"""


def _tables(figures: Mapping[str, Any]) -> str:
    kinds = list(dict.fromkeys(kind for found in figures.values() for kind in found))
    heads = [f"{name}, {_KINDS.get(kind, kind)}" for name in figures for kind in kinds]
    rows = [f"| tissue | {' | '.join(heads)} | aim |"]
    rows.append("| --- " * (2 + len(heads)) + "|")
    first = next(iter(figures.values()))
    for tissue in next(iter(first.values())):
        cells = [_interval(found.get(kind, {}).get(tissue)) for found in figures.values() for kind in kinds]
        rows.append(f"| {tissue} | " + " | ".join(cells) + f" | {_AIMS.get(tissue, '')} |")
    return "\n".join(rows)


def _interval(figure: Mapping[str, float] | None) -> str:
    if not figure or "value" not in figure:
        return "not measured"
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f}; {figure['cases']})"
