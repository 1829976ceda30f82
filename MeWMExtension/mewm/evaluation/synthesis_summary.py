"""Tables and figures of the synthesis arms (paper's table 1, and what a known truth adds)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mewm.evaluation import figures
from mewm.evaluation.case_page import PageCase, PageColumn, case_page, representative
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.feature_networks import FeatureNetwork, FilterBank, PerceptualNetwork
from mewm.evaluation.synthesis_metrics import SliceStack, fid, perceptual_distance, perceptual_distances
from mewm.evaluation.synthesis_pairs import FRACTIONS, ArmValues, paired_rows
from mewm.evaluation.tables import write_table
from mewm.evaluation.truth_metrics import (
    QUANTITIES,
    Retrieval,
    agreement,
    correlation,
    coverage,
    protocol_retrieval,
    response_agreement,
)

_FEWEST_FOR_FID = 2
NO_RETRIEVAL = "needs a known truth"


def summarise_synthesis(
    records: Sequence[Mapping[str, Any]],
    arrays: Sequence[Mapping[str, np.ndarray]],
    config: EvaluationConfig,
    out: Path,
    features: FeatureNetwork,
    perceptual: PerceptualNetwork,
    absent: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write ``synthesis``, ``volumes`` and the figures; return everything as values.

    Args:
        records: ``synthesis`` measurements of the cases.
        arrays: their slices.
        config: the settings.
        out: folder to write to.
        features: network of FID.
        perceptual: network of LPIPS.
        absent: learned models that were not measured, and why; they get a row without figures.
    """
    cases = [record["synthesis"] for record in records]
    arms = list(cases[0]["arms"])
    true = _stack(arrays, "true")
    images, volumes = [], []
    for number, arm in enumerate(arms):
        mine = [case["arms"][arm] for case in cases]
        images.append(_image_row(arm, mine, cases, _stack(arrays, f"arm_{number}"), true, config, features, perceptual))
        volumes += [_volume_row(arm, quantity, mine, cases, config) for quantity in QUANTITIES]
    retrieval = [case["arms"][arms[0]].get("retrieval") for case in cases]
    if any(distances is None for distances in retrieval):
        images = [{**row, "retrieval_top1": NO_RETRIEVAL} for row in images]
    images += [{"arm": name, "cases": why} for name, why in (absent or {}).items()]
    write_table(images, out / "synthesis", f"Synthesis: FID with {features.name}; LPIPS with {perceptual.name}")
    reference = ", ".join(sorted({case["reference"] for case in cases}))
    write_table(volumes, out / "volumes", f"Simulated against true volumes (ml) and shares; true by: {reference}")
    compared = {
        arm: _compared([case["arms"][arm] for case in cases], _stack(arrays, f"arm_{number}"), true, config, perceptual)
        for number, arm in enumerate(arms)
    }
    truths = {share: np.array([case["true"][share] for case in cases]) for share in FRACTIONS}
    paired = paired_rows(compared, truths, config)
    write_table(paired, out / "paired_synthesis", f"{arms[0]} minus each other arm, on the same cases")
    _draw(records, cases, arrays, arms, config, out)
    return {
        "feature_network": features.name,
        "perceptual_network": perceptual.name,
        "retrieval_network": FilterBank.name,
        "true_labels": reference,
        "arms": images,
        "volumes": volumes,
        "paired": paired,
    }


def _compared(
    mine: Sequence[Mapping[str, Any]],
    simulated: SliceStack,
    true: SliceStack,
    config: EvaluationConfig,
    perceptual: PerceptualNetwork,
) -> ArmValues:
    per_case = {"LPIPS": perceptual_distances(simulated, true, perceptual)}
    for name in ("retrieval", "retrieval_centred"):
        if (found := _retrieved(mine, name, config)) is not None:
            per_case[f"{name}_top1"] = found.per_case
    return ArmValues(per_case, {share: np.array([m["replicas"][0][share] for m in mine]) for share in FRACTIONS})


def _image_row(
    arm: str,
    mine: Sequence[Mapping[str, Any]],
    cases: Sequence[Mapping[str, Any]],
    simulated: SliceStack,
    true: SliceStack,
    config: EvaluationConfig,
    features: FeatureNetwork,
    perceptual: PerceptualNetwork,
) -> dict[str, Any]:
    row: dict[str, Any] = {"arm": arm, "cases": len(mine), "FID": "needs at least two cases"}
    if len(mine) >= _FEWEST_FOR_FID:
        row["FID"] = fid(simulated, true, features, resamples=min(config.resamples, 100), seed=config.seed).estimate
    row["LPIPS"] = perceptual_distance(
        simulated, true, perceptual, resamples=config.resamples, seed=config.seed
    ).estimate
    # The first replica, because a mean over replicas is no category.
    responses = [m["replicas"][0]["response"] for m in mine]
    row["response_kappa"] = response_agreement(responses, [case["true"]["response"] for case in cases])
    if (found := _retrieved(mine, "retrieval", config)) is not None:
        row |= {"retrieval_top1": found.top1, f"retrieval_top{found.k}": found.top_k, "candidates": found.candidates}
    if (found := _retrieved(mine, "retrieval_centred", config)) is not None:
        row["retrieval_centred_top1"] = found.top1
    return row


def _retrieved(mine: Sequence[Mapping[str, Any]], name: str, config: EvaluationConfig) -> Retrieval | None:
    if any(name not in m for m in mine):
        return None
    size = min(len(m[name]) for m in mine)
    cut = np.array([np.array(m[name])[:size, :size] for m in mine])
    return protocol_retrieval(cut, min(3, size - 1), resamples=config.resamples, seed=config.seed)


def _volume_row(
    arm: str,
    quantity: str,
    mine: Sequence[Mapping[str, Any]],
    cases: Sequence[Mapping[str, Any]],
    config: EvaluationConfig,
) -> dict[str, Any]:
    replicas, true = _values(mine, cases, quantity)
    chance = {"resamples": config.resamples, "seed": config.seed}
    # A single future, as the truth is one: the mean over replicas would look better than any future is.
    found = agreement(replicas[:, 0], true, **chance)
    return {
        "arm": arm,
        "quantity": quantity,
        "true_mean": float(true.mean()),
        "bias": found.bias,
        "absolute_error": found.error,
        "pearson": found.pearson,
        "spearman": found.spearman,
        "pearson_of_mean": correlation(replicas.mean(axis=1), true, **chance),
        "coverage_80": coverage(replicas, true, 0.8, **chance),
    }


def _values(
    mine: Sequence[Mapping[str, Any]], cases: Sequence[Mapping[str, Any]], quantity: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return replicas ``(cases, T)`` and truths ``(cases,)`` of a quantity."""
    replicas = np.array([[replica[quantity] for replica in m["replicas"]] for m in mine])
    return replicas, np.array([case["true"][quantity] for case in cases])


def _draw(
    records: Sequence[Mapping[str, Any]],
    cases: Sequence[Mapping[str, Any]],
    arrays: Sequence[Mapping[str, np.ndarray]],
    arms: Sequence[str],
    config: EvaluationConfig,
    out: Path,
) -> None:
    first = [case["arms"][arms[0]] for case in cases]
    values, notes = {}, {}
    for quantity in QUANTITIES:
        replicas, true = _values(first, cases, quantity)
        values[quantity] = (replicas[:, 0], true)
        notes[quantity] = f"r {correlation(replicas[:, 0], true, resamples=1).value:.2f}"
    figure = figures.scatter(values, notes)
    figure.suptitle(f"{arms[0]}: first simulated future against the truth, {len(cases)} cases", fontsize=10)
    figures.save(figure, out / "volumes")
    replicas, true = _values(first, cases, "viable_fraction")
    chosen = representative(np.abs(replicas[:, 0] - true), config.page)
    figures.save(case_page([_page(records[i], cases[i], arrays[i], arms) for i in chosen]), out / "cases_page")


def _page(
    record: Mapping[str, Any], case: Mapping[str, Any], arrays: Mapping[str, np.ndarray], arms: Sequence[str]
) -> PageCase:
    """Return a row of the page: before, the first arm's future, the truth, then the other arms' futures."""
    columns = {}
    for number, arm in enumerate(arms):
        first = case["arms"][arm]["replicas"][0]
        columns[arm] = PageColumn(arrays[f"page_{number}"], _caption(first))
        if number == 0:
            columns["true"] = PageColumn(arrays["page_true"], _caption(case["true"]))
    title = f"{record['case_id']}\n" + case["protocol"].replace("; ", "\n")
    return PageCase(title, arrays["page_before"], columns, arrays["page_lesion"], case["spacing"])


def _caption(measured: Mapping[str, Any]) -> str:
    return f"viable {measured['viable_fraction']:.0%}, oil {measured['lipiodol_fraction']:.0%}, {measured['response']}"


def _stack(arrays: Sequence[Mapping[str, np.ndarray]], name: str) -> SliceStack:
    return SliceStack(np.stack([a[name].astype(np.float32) for a in arrays]))
