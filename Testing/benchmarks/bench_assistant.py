"""Print how well assistants read CTs after treatment, and how long they take.

    python Testing/benchmarks/bench_assistant.py --cohort DIR [--assistant MODEL ...] [--cases N] [--threads N]

Dice on true and on simulated CTs of the test split with 95 % intervals, and the seconds that the five replicas of
one protocol take. An assistant is a name or a folder, as `mewm explore --assistant` takes it; `intensity` is always
measured.
With `--proposal DIR` also the Dice of a network that proposes masks, on the same cases before treatment.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch

from mewm.assistant.choose import assistant_names, choose_assistant
from mewm.assistant.network import load_network
from mewm.cohort.dataset import read_cohort
from mewm.training.assistant.export import measure_proposals
from mewm.training.assistant.measure import TISSUES, measure_assistants, seconds_a_protocol


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--assistant", action="append", default=[], metavar="MODEL")
    parser.add_argument("--proposal", type=Path, metavar="DIR")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cohort = read_cohort(args.cohort)
    rows = cohort.split("test")[: args.cases]
    names = list(dict.fromkeys([*(args.assistant or [n for n in assistant_names() if n != "none"]), "intensity"]))
    assistants = {name: choose_assistant(name, args.device) for name in names}
    found = measure_assistants(cohort, rows, list(assistants.values()))
    for assistant in assistants.values():
        for kind, figures in found[assistant.name].items():
            print(f"{assistant.name}, {kind} CT, Dice: " + "; ".join(told(t, figures[t]) for t in TISSUES))
        seconds = [seconds_a_protocol(assistant, cohort.load(row)) for row in rows[:5]]
        print(f"{assistant.name}: {statistics.median(seconds):.2f} s for five replicas (slowest {max(seconds):.2f} s)")
    if args.proposal:
        proposed = measure_proposals(cohort, rows, load_network(args.proposal, args.device))
        print("proposed before treatment, Dice: " + "; ".join(told(name, value) for name, value in proposed.items()))


def told(name: str, figure: dict[str, float]) -> str:
    """Return a figure with its interval in words."""
    if "value" not in figure:
        return f"{name} not measured"
    return f"{name} {figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f}, {figure['cases']} cases)"


if __name__ == "__main__":
    main()
