"""Print how well the fast search does: same winner as Algorithm 1, simulations, regret against exhaustive search.

python Testing/benchmarks/bench_explore.py                     50 toy cases with closed-form risks
python Testing/benchmarks/bench_explore.py --cases real        simulated patients, the four plain baselines
python Testing/benchmarks/bench_explore.py --number 10 --first 100 --no-exhaustive
"""

import argparse
import importlib.util
import statistics
import sys
import time
import zlib
from pathlib import Path

import numpy as np

from mewm.actions.formulary import Formulary
from mewm.dynamics.sketch import ResponseSketch
from mewm.explore.algorithm1 import explore_algorithm1
from mewm.explore.evaluator import Evaluator
from mewm.explore.exhaustive import explore_exhaustive, regret
from mewm.explore.fast import explore_fast
from mewm.explore.settings import ExploreSettings

COHORT_SEED = 2024


def load_toys():
    path = Path(__file__).resolve().parents[1] / "engine" / "explore_toys.py"
    spec = importlib.util.spec_from_file_location("explore_toys", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["explore_toys"] = module
    spec.loader.exec_module(module)
    return module


class RealWorld:
    """A simulated patient with the plain baselines; a future asked for twice is computed once.

    The searches are counted each for itself; remembering futures between them only spares the benchmark time.
    """

    def __init__(self, index):
        from mewm.assistant.intensity import IntensityAssistant
        from mewm.cohort.simulate import simulate_patient
        from mewm.dynamics.mechanistic import MechanisticDynamics
        from mewm.policy.guideline import GuidelinePolicy
        from mewm.survival.cox import CoxSurvival

        self.roi = simulate_patient(COHORT_SEED, index).roi
        self.policy = GuidelinePolicy()
        self.dynamics = self.assistant = self.survival = self
        self._dynamics, self._assistant = MechanisticDynamics(), IntensityAssistant()
        self._survival = CoxSurvival.load()
        self._number, self._tissue = {}, []

    name = "remembered"

    def sketch(self, seeds):
        """Return the hint that `mewm explore` gives the fast search."""
        return ResponseSketch(self.roi, seeds)

    def simulate(self, roi, protocol, seeds):
        """Return the number of each future instead of its CT."""
        return [np.full((1, 1, 1), self._remember(protocol, seed), np.float32) for seed in seeds]

    def segment(self, roi, ct):
        labels = np.frombuffer(zlib.decompress(self._tissue[int(ct[0, 0, 0])]), np.uint8)
        return labels.reshape(roi.ct.shape)

    def score(self, roi, post_ct, tissue, protocol):
        return self._survival.score(roi, post_ct, tissue, protocol)

    def _remember(self, protocol, seed):
        future = (protocol.key, seed)
        if future not in self._number:
            ct = self._dynamics.simulate(self.roi, protocol, [seed])[0]
            self._number[future] = len(self._tissue)
            self._tissue.append(zlib.compress(self._assistant.segment(self.roi, ct).tobytes(), 1))
        return self._number[future]


def run(search, world, settings):
    evaluator = Evaluator(world.roi, world.dynamics, world.assistant, world.survival, settings)
    start = time.perf_counter()
    hints = {"sketch": world.sketch(evaluator.seeds)} if search is explore_fast and hasattr(world, "sketch") else {}
    result = search(evaluator, world.policy, Formulary.everything(), **hints)
    return result, time.perf_counter() - start


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", choices=("toy", "real"), default="toy")
    parser.add_argument("--number", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="index of the first case")
    parser.add_argument("--no-exhaustive", action="store_true", help="skip the referee and the regrets")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    make_world = RealWorld if arguments.cases == "real" else load_toys().random_world
    searches = {"Algorithm 1": explore_algorithm1, "fast": explore_fast}
    differences, ratios, distinct = [], [], []
    regrets = {name: [] for name in searches}
    seconds = {name: [] for name in (*searches, "exhaustive")}
    for index in range(arguments.first, arguments.first + arguments.number):
        settings = ExploreSettings(seed=index)
        world = make_world(index)
        results = {}
        for name, search in searches.items():
            results[name], took = run(search, world, settings)
            seconds[name].append(took)
        paper, fast = results["Algorithm 1"], results["fast"]
        same = paper.winner.protocol.key == fast.winner.protocol.key
        if not same:
            differences.append(fast.winner.risk - paper.winner.risk)
        ratios.append(paper.cost.paper / fast.cost.run)
        distinct.append(paper.cost.run / fast.cost.run)
        said = "same winner" if same else f"another winner, risk {differences[-1]:+.3f}"
        line = f"case {index}: {said}; {paper.cost.paper} / {fast.cost.run} simulations = {ratios[-1]:.1f}"
        if not arguments.no_exhaustive:
            referee, took = run(explore_exhaustive, world, settings)
            seconds["exhaustive"].append(took)
            for name, result in results.items():
                regrets[name].append(regret(referee, result.winner))
                line += f"; regret of {name} {regrets[name][-1]:.3f}"
        print(line, flush=True)
    number = arguments.number
    print(f"\n{number} {arguments.cases} cases from {arguments.first}, {ExploreSettings()}")
    print(f"same winner as Algorithm 1: {number - len(differences)} of {number}")
    near = sum(abs(difference) <= 0.01 for difference in differences)
    print(
        f"of the others within 0.01 of its risk: {near}, largest difference {max(map(abs, differences), default=0):.3f}"
    )
    print(f"a better one: {sum(d < 0 for d in differences)}, a worse one: {sum(d >= 0 for d in differences)}")
    print(f"simulations of Algorithm 1 over the fast search's: {spread(ratios)}")
    print(f"the same if Algorithm 1 simulated no protocol twice: {spread(distinct)}")
    for name, values in regrets.items():
        if values:
            zero = sum(value == 0 for value in values) / len(values)
            print(f"regret of {name}: mean {statistics.mean(values):.3f}, max {max(values):.3f}, zero {zero:.0%}")
    for name, values in seconds.items():
        if values:
            print(f"seconds of {name}: median {statistics.median(values):.2f}, max {max(values):.2f}")


def spread(values):
    return f"min {min(values):.1f}, median {statistics.median(values):.1f}"


if __name__ == "__main__":
    main()
