"""Print how near the best protocol anyone could come who does not know the lesion's own chance.

    python Testing/benchmarks/bench_protocol_ceiling.py --cohort cohort/ [--cases N] [--draws N]

The chooser knows the world's equations and hazards, every agent, and how sensitivities depend on the true phenotype,
more than a CT shows; it takes the protocol of the lowest hazard averaged over drawn sensitivities. F1 and regret are
those of `mewm evaluate`, on the same cases of the test split.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mewm.actions.protocol import Protocol
from mewm.cohort.dataset import Cohort, CohortRow, read_cohort
from mewm.cohort.lesion import LesionPhenotype
from mewm.cohort.parameters import TruthParameters
from mewm.cohort.truth import draw_sensitivities
from mewm.evaluation.arms import admissible, best_of
from mewm.evaluation.intervals import bootstrap_mean
from mewm.evaluation.protocol_metrics import score_cases
from mewm.evaluation.world import read_truth, true_case
from mewm.explore.settings import ExploreSettings

SEED = 5
_NUMBERS = ("diameter_mm", "vascularity", "necrotic_fraction", "capsule", "heterogeneity", "infiltration")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--draws", type=int, default=40)
    args = parser.parse_args()
    cohort = read_cohort(args.cohort)
    truth = read_truth(cohort)
    chosen, best, regret = [], [], []
    for row in tqdm(cohort.split("test")[: args.cases]):
        mine, right, more = chosen_and_best(cohort, row, truth[row.case_id], args.draws)
        chosen.append({action.agent for action in mine.actions})
        best.append({action.agent for action in right.actions})
        regret.append(more)
    for name, values in (("F1", score_cases(chosen, best)["f1"]), ("regret", np.array(regret))):
        found = bootstrap_mean(values)
        print(f"{name} {found.value:.3f} ({found.low:.3f} to {found.high:.3f}), {len(values)} cases")


def chosen_and_best(
    cohort: Cohort, row: CohortRow, line: Mapping[str, str], draws: int
) -> tuple[Protocol, Protocol, float]:
    """Return the chooser's protocol, the truly best one, and the log hazard between them."""
    roi = cohort.load(row).roi
    true = true_case(roi, line, cohort.info, cohort.folder / "cases" / row.case_id)
    protocols = admissible(roi, ExploreSettings())
    numbers = {name: float(line[f"phenotype_{name}"]) for name in _NUMBERS}
    phenotype = LesionPhenotype(semi_mm=(0.0, 0.0, 0.0), shunt=line["phenotype_shunt"], **numbers)
    rng = np.random.default_rng(SEED)
    expected = {protocol.key: 0.0 for protocol in protocols}
    for _ in range(draws):
        drawn = draw_sensitivities(rng, phenotype, TruthParameters())
        world = replace(true, sensitivities=replace(drawn, shunt=true.sensitivities.shunt), known={})
        for key, hazard in world.hazards(protocols).items():
            expected[key] += hazard / draws
    hazards = true.hazards(protocols)
    mine, best = best_of(expected, protocols), best_of(hazards, protocols)
    return mine, best, hazards[mine.key] - hazards[best.key]


if __name__ == "__main__":
    main()
