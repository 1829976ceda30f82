"""Print how good a learned survival model is on the test split of a cohort, beside the baselines and the oracle.

    python Testing/benchmarks/bench_survival.py --bundle models/survival_attention --cohort cohort/ [--evaluation DIR]

The baselines are fitted on the train split. `--evaluation` keeps what was measured, so that a second call is quick.
The c-index of the true hazard is the ceiling: what is left is chance, so no model can be asked for more. Nothing may be
chosen by these figures: choose on the validation split (`mewm train survival` does).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mewm.assistant.intensity import IntensityAssistant
from mewm.cohort.dataset import Cohort, read_cohort
from mewm.dynamics.choose import choose_dynamics
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.evaluate import evaluate
from mewm.evaluation.intervals import Estimate, bootstrap_mean
from mewm.evaluation.survival_predictions import METHOD, ORACLE
from mewm.survival.choose import choose_survival
from mewm.training.survival.artefacts import told_apart

REPLICAS = 5
SHOWN = (
    "c_index",
    "method_minus_this",
    "nelson_aalen_mse",
    "integrated_brier",
    "calibration_slope",
    "trained_on",
)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True, help="folder of a bundle, or cox")
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--evaluation", type=Path, help="folder to keep the measurements in (default: none)")
    parser.add_argument("--dynamics", default="mechanistic", help="what simulates the futures, as in mewm explore")
    parser.add_argument("--futures", type=int, default=20, metavar="N", help="test cases to simulate futures of")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        out = args.evaluation or Path(folder) / "evaluation"
        config = EvaluationConfig(parts=("survival",), survival=args.bundle)
        results = evaluate(args.cohort, out, config, workers=args.workers)
    discrimination(results["survival"]["models"])
    futures(read_cohort(args.cohort), args.bundle, args.dynamics, args.futures, args.threads)


def discrimination(models: list[dict[str, Any]]) -> None:
    """Print the table of the models and which share of the oracle's margin over chance each has."""
    ceiling = next((row["c_index"].value for row in models if row["model"] == ORACLE), None)
    for row in models:
        print(f"\n{row['model']}{'  <- this model' if row['model'] == METHOD else ''}")
        for name in SHOWN:
            if name in row:
                print(f"  {name}: {told(row[name])}")
        if ceiling is not None and isinstance(row.get("c_index"), Estimate):
            share = (row["c_index"].value - 0.5) / (ceiling - 0.5)
            print(f"  share of the oracle's margin over 0.5: {share:.0%}")


def futures(cohort: Cohort, bundle: str, dynamics_name: str, cases: int, threads: int) -> None:
    """Print what five replicas cost, and whether simulated futures get the risk of the true CT."""
    survival, dynamics, assistant = choose_survival(bundle), choose_dynamics(dynamics_name), IntensityAssistant()
    gaps, seconds, features = [], [], []
    for row in cohort.split("test")[:cases]:
        case = cohort.load(row)
        simulated = dynamics.simulate(case.roi, row.protocol, list(range(REPLICAS)))
        true = survival.score(case.roi, case.post_ct, assistant.segment(case.roi, case.post_ct), row.protocol).risk
        begun = time.perf_counter()
        risks = [survival.score(case.roi, ct, assistant.segment(case.roi, ct), row.protocol).risk for ct in simulated]
        seconds.append(time.perf_counter() - begun)
        gaps.append(np.mean(risks) - true)
        features.append((true, risks[0]))
    true_risks, first = np.array(features).T
    print(
        f"\n{len(gaps)} test cases, {REPLICAS} simulated futures of the as-treated protocol each, "
        f"{dynamics.name} dynamics"
    )
    print(f"  risk of the futures less that of the true CT: {told(bootstrap_mean(np.array(gaps)))}")
    print(f"  simulated told from true by the risk alone (0.5 is not): {told(told_apart(true_risks, first))}")
    print(f"  segmenting and scoring the five: {np.median(seconds):.2f} s with {threads} threads (median)")


def told(value: Any) -> str:
    """Return a figure in words."""
    if isinstance(value, Estimate):
        return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
