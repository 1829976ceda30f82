"""``mewm evaluate``: measure every case once, in parallel and resumable, then write tables, figures and one JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mewm
from mewm.assistant.choose import choose_assistant
from mewm.cohort.dataset import CohortRow, read_cohort
from mewm.errors import InputError
from mewm.evaluation.case_files import Progress, measure_cases, prepare, read_arrays
from mewm.evaluation.case_measures import Context
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.feature_networks import FeatureNetwork, FilterBank, PerceptualNetwork
from mewm.evaluation.protocol_summary import summarise_protocols
from mewm.evaluation.registry import Registry, known_models
from mewm.evaluation.survival_summary import summarise_survival
from mewm.evaluation.synthesis_summary import summarise_synthesis
from mewm.evaluation.tables import write_json
from mewm.evaluation.world import read_truth
from mewm.survival.choose import choose_survival

SCHEMA = "mewm-evaluation/1"
NOTICE = "Research use only; not a medical device."
SIMULATED_NOTICE = (
    "The world of a simulated cohort is built from the mechanistic simulator's own equations with hidden "
    "sensitivities and chance, so the mechanistic arm knows the form of the truth and its figures are no evidence "
    "about patients."
)


def evaluate(
    cohort: Path,
    out: Path,
    config: EvaluationConfig | None = None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    registry: Registry | None = None,
    features: FeatureNetwork | None = None,
    perceptual: PerceptualNetwork | None = None,
) -> dict[str, Any]:
    """Run the arms over a cohort and write ``results.json``, tables and figures (docs/evaluation.md).

    Cases are measured in parallel and written to ``out/cases`` as they are done; the same call after an interruption
    goes on where it stopped. The results do not depend on the number of processes. With more than one process a
    script of your own needs ``if __name__ == "__main__":`` around the call.

    Args:
        cohort: dataset folder (docs/cohort.md), simulated or imported.
        out: where to write; empty, new, or holding the beginning of this evaluation.
        config: what to measure; everything on the test split by default.
        workers: processes; ``None`` for one a usable core.
        progress: called with cases done and cases in all.
        registry: the models that ``config`` names; those that come with MeWM and ``config.bundles`` by default.
        features, perceptual: feature networks of FID and LPIPS; by default those whose files ``config`` names, else
            the bundled filter bank.

    Returns:
        The content of ``results.json``.

    Raises:
        InputError: no such cohort, an empty split, an unknown model, another evaluation in ``out``, or a folder that
            cannot be written.
        ResourceError: the files of a feature network are missing or wrong.
    """
    config, out, registry = config or EvaluationConfig(), Path(out), registry or known_models(config.bundles)
    registry.require(config)
    data = read_cohort(Path(cohort))
    tested = data.split(config.split)[: config.cases]
    if not tested:
        raise InputError(f"The cohort {cohort} has no case in the split {config.split!r}; choose another split.")
    # Before the long part, so that a wrong file is told at once.
    features, perceptual = features or _features(config), perceptual or _perceptual(config)
    trained = data.split("train") if "survival" in config.parts and config.split != "train" else ()
    context = Context(data, config, registry, read_truth(data), tuple(row.protocol for row in data.split("train")))
    mark = {
        "schema": SCHEMA,
        "fingerprint": config.fingerprint,
        "cohort": {key: data.info.get(key) for key in ("kind", "seed")},
        "mewm": mewm.__version__,
        # Not the context's own: that goes to other processes, and a network does not.
        "survival_model": getattr(choose_survival(config.survival), "sha256", None),
    }
    if learned := registry.identities(config):
        mark["dynamics_models"] = learned
    if digest := getattr(choose_assistant(config.assistant), "sha256", None):
        mark["assistant_model"] = digest
    try:
        prepare(out, mark)
        records = measure_cases(context, [*tested, *trained], out, workers, progress)
        results = _summarise(records, tested, trained, context, out, features, perceptual)
        write_json(results, out / "results.json")
    except OSError as error:
        raise InputError(
            f"The evaluation cannot be written to {out} ({error.strerror or error}); free space or choose another "
            "folder."
        ) from error
    return results


def _summarise(
    records: Mapping[str, dict[str, Any]],
    tested: Sequence[CohortRow],
    trained: Sequence[CohortRow],
    context: Context,
    out: Path,
    features: FeatureNetwork,
    perceptual: PerceptualNetwork,
) -> dict[str, Any]:
    config, info = context.config, context.cohort.info
    mine = [records[row.case_id] for row in tested]
    results: dict[str, Any] = {
        "schema": SCHEMA,
        "notice": f"{NOTICE} {SIMULATED_NOTICE}" if context.truth else NOTICE,
        "mewm": mewm.__version__,
        "cohort": {key: info.get(key) for key in ("kind", "seed", "cases", "mewm")},
        "truth": "known" if context.truth else "not known",
        "cases": len(tested),
        "config": asdict(config),
    }
    if "synthesis" in config.parts:
        arrays = [read_arrays(out, row.case_id) for row in tested]
        absent = context.registry.absent(config)
        results["synthesis"] = summarise_synthesis(mine, arrays, config, out, features, perceptual, absent)
    if "survival" in config.parts:
        learned = [records[row.case_id] for row in trained]
        results["survival"] = summarise_survival(learned, mine, config, info, out)
    if "protocols" in config.parts:
        results["protocols"] = summarise_protocols(mine, config, out, context.registry.why_no_ablation(config))
    return results


def _features(config: EvaluationConfig) -> FeatureNetwork:
    if config.inception is None:
        return FilterBank()
    from mewm.evaluation.torch_networks import load_inception

    return load_inception(Path(config.inception))


def _perceptual(config: EvaluationConfig) -> PerceptualNetwork:
    if config.lpips_backbone is None or config.lpips_heads is None:
        return FilterBank()
    from mewm.evaluation.torch_networks import load_lpips

    return load_lpips(Path(config.lpips_backbone), Path(config.lpips_heads), config.lpips_net)
