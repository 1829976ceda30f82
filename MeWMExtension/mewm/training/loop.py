"""The training loop that every learned model shares: steps, validation, checkpoints, logs, one process or many."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from mewm.errors import Cancelled, InputError
from mewm.training.checkpoint import BEST, LAST, load_checkpoint, save_checkpoint
from mewm.training.config import require_figure, require_from
from mewm.training.draws import Draws, StepSampler, batches
from mewm.training.learner import Learner, Step
from mewm.training.processes import Processes

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Validate = Callable[[Mapping[str, nn.Module], "SummaryWriter", int], Mapping[str, float]]
"""``validate(modules, board, step)``: averaged networks by name, in evaluation mode, → figures by name. It may draw
pictures on the TensorBoard ``board``. Runs in the first process, without gradients."""


@dataclass(frozen=True)
class LoopSettings:
    """Length and rhythm of a training.

    Attributes:
        steps: in all.
        batch: examples a step, over all processes.
        seed: of weights, examples and noise.
        log_every, validate_every, save_every: steps between.
        best: name of the validation figure that chooses the best checkpoint; the lowest wins.
        workers: processes that load examples.
    """

    steps: int = 10_000
    batch: int = 8
    seed: int = 1
    log_every: int = 50
    validate_every: int = 500
    save_every: int = 200
    best: str = "loss"
    workers: int = 0

    def __post_init__(self) -> None:
        require_from(self, "the loop", steps=1, batch=1, seed=0, log_every=1, validate_every=1, save_every=1, workers=0)


@dataclass(frozen=True)
class Report:
    """What the user is told now and then.

    Attributes:
        step, steps: done and in all.
        seconds_a_step: of the last steps.
        seconds_left: at that pace, validation included.
        figures: losses since the last report (means), or the figures of a validation.
    """

    step: int
    steps: int
    seconds_a_step: float
    seconds_left: float
    figures: Mapping[str, float]


def train(
    learners: Mapping[str, Learner],
    draws: Draws,
    settings: LoopSettings,
    folder: Path,
    processes: Processes,
    *,
    validate: Validate | None = None,
    config: Mapping[str, Any] | None = None,
    tell: Callable[[Report], None] | None = None,
) -> float:
    """Train until ``settings.steps``, going on from the folder's last checkpoint where there is one.

    Every step draws one batch, moves it to the device and lets the learners learn from it in their order. Examples,
    noise and learning rate of a step depend on the seed and the step alone, so a training that was interrupted and went
    on gives the same weights as one that was not (exactly so on one process on a CPU: some kernels of CUDA add in no
    fixed order). An interrupt (Ctrl-C or SIGTERM) ends the step, writes a checkpoint and raises.

    Args:
        learners: by name; the names are those of the checkpoint.
        draws: the examples.
        settings: length and rhythm.
        folder: gets ``last.pt``, ``best.pt`` and the TensorBoard logs in ``logs``.
        processes: from :func:`mewm.training.processes.processes`.
        validate: figures on held-out cases; without it the last checkpoint is also the best.
        config: whatever else decides the result; a checkpoint of another configuration is refused. ``steps`` may grow.
        tell: called after every ``log_every`` steps and every validation, in the first process.

    Returns:
        The best validation figure (``inf`` without validation).

    Raises:
        InputError: the folder holds another training, or the loss stopped being a number.
        Cancelled: the user interrupted; a checkpoint was written.
    """
    fingerprint = described(settings, config)
    start, best, spent = _restore(learners, folder, fingerprint, processes)
    for learner in learners.values():
        processes.share(learner.module)
    sampler = StepSampler(start, settings.steps, settings.batch, processes.rank, processes.count)
    loader = batches(draws, sampler, settings.workers)

    def save(name: str, step: int) -> None:
        state = {"step": step, "best": best, "seconds": spent + clock.total, "config": fingerprint}
        save_checkpoint(folder / name, {**state, "learners": {n: lr.state() for n, lr in learners.items()}})

    with _board(folder, start, processes) as board, _stop_request() as stopped:
        clock = _Clock()
        sums: dict[str, torch.Tensor] = {}
        for number, batch in enumerate(loader, start):
            generator = _generator(settings.seed, number, processes)
            # Dropout draws from the global generator: a training that goes on has to find it as one that never stopped.
            torch.manual_seed(generator.initial_seed())
            step = Step(number, settings.steps, generator)
            moved = {k: v.to(processes.device) if isinstance(v, torch.Tensor) else v for k, v in batch.items()}
            for name, learner in learners.items():
                for key, value in learner.learn(moved, step, processes).items():
                    sums[f"{name}/{key}"] = sums.get(f"{name}/{key}", 0.0) + value
            clock.tick()
            done = number + 1
            last = done == settings.steps
            if processes.first and (done % settings.log_every == 0 or last):
                means = {k: float(v) / clock.steps for k, v in sums.items()}
                _log(board, means, done)
                _tell(tell, clock, done, settings.steps, means)
            if done % settings.log_every == 0:
                sums.clear()
                clock.restart()
            if done % settings.validate_every == 0 or last:
                if processes.first and validate is not None:
                    found = _validated(validate, learners, board, done, settings.best)
                    _log(board, {f"validation/{k}": v for k, v in found.items()}, done)
                    _tell(tell, clock, done, settings.steps, found)
                    if found[settings.best] < best:
                        best = found[settings.best]
                        save(BEST, done)
                processes.wait()
                clock.pause()
            interrupted = processes.any(stopped.is_set())
            if processes.first and (done % settings.save_every == 0 or last or interrupted):
                save(LAST, done)
                if last and validate is None:
                    save(BEST, done)
            if interrupted and not last:
                raise Cancelled(f"The training was stopped after step {done}; the same command goes on from there.")
    processes.wait()
    return best


def _restore(
    learners: Mapping[str, Learner], folder: Path, fingerprint: Mapping[str, Any], processes: Processes
) -> tuple[int, float, float]:
    """Return step, best figure and seconds spent of the last checkpoint, after taking over its weights."""
    if not (folder / LAST).is_file():
        return 0, float("inf"), 0.0
    state = load_checkpoint(folder / LAST, processes.device)
    require_same(state, fingerprint, folder)
    for name, learner in learners.items():
        learner.restore(state["learners"][name])
    return state["step"], state["best"], state["seconds"]


def described(settings: LoopSettings, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what decides the result of a training, as it stands in its checkpoints."""
    free = ("steps", "log_every", "save_every", "workers")
    return {**{k: v for k, v in asdict(settings).items() if k not in free}, **(config or {})}


def require_same(state: Mapping[str, Any], fingerprint: Mapping[str, Any], folder: Path) -> None:
    """Raise unless a checkpoint belongs to a training.

    Args:
        state: of the checkpoint.
        fingerprint: of the training (:func:`described`).
        folder: where the checkpoint lies.

    Raises:
        InputError: it was begun with other settings.
    """
    if state["config"] != fingerprint:
        differ = sorted(k for k in {*state["config"], *fingerprint} if state["config"].get(k) != fingerprint.get(k))
        raise InputError(
            f"The training in {folder} was begun with other settings ({', '.join(differ)}); choose another folder or "
            "take the settings back."
        )


def _generator(seed: int, step: int, processes: Processes) -> torch.Generator:
    mixed = np.random.SeedSequence([seed, 3, step, processes.rank]).generate_state(1, np.uint64)[0]
    return torch.Generator(processes.device).manual_seed(int(mixed))


def _validated(
    validate: Validate, learners: Mapping[str, Learner], board: SummaryWriter, step: int, best: str
) -> Mapping[str, float]:
    modules = {name: learner.best_module.eval() for name, learner in learners.items()}
    with torch.no_grad():
        found = validate(modules, board, step)
    require_figure(best, list(found))
    return found


def _log(board: SummaryWriter, figures: Mapping[str, float], step: int) -> None:
    for name, value in figures.items():
        board.add_scalar(name, value, step)


def _tell(
    tell: Callable[[Report], None] | None, clock: _Clock, done: int, total: int, figures: Mapping[str, float]
) -> None:
    if tell is not None:
        tell(Report(done, total, clock.pace, clock.pace_overall * (total - done), figures))


class _Clock:
    """Time a step, and in all with validation and saving."""

    def __init__(self) -> None:
        self.begun = self.since = time.perf_counter()
        self.steps = self.all_steps = 0
        self.pace = 0.0

    def tick(self) -> None:
        self.steps += 1
        self.all_steps += 1
        self.pace = (time.perf_counter() - self.since) / self.steps

    def restart(self) -> None:
        self.since, self.steps = time.perf_counter(), 0

    def pause(self) -> None:
        """Leave what was done since the last step out of the pace."""
        self.since = time.perf_counter() - self.pace * self.steps

    @property
    def total(self) -> float:
        return time.perf_counter() - self.begun

    @property
    def pace_overall(self) -> float:
        return self.total / max(self.all_steps, 1)


@contextmanager
def _board(folder: Path, start: int, processes: Processes) -> Iterator[Any]:
    if not processes.first:
        yield None
        return
    from torch.utils.tensorboard import SummaryWriter

    board = SummaryWriter(str(folder / "logs"), purge_step=start or None)
    try:
        yield board
    finally:
        board.close()


@contextmanager
def _stop_request() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into a request; a second Ctrl-C interrupts at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, frame: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
