"""The shared training loop: the same weights however often it was stopped and however many processes ran it."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("tensorboard", reason="the 'learned' extra is not installed")

from mewm.errors import Cancelled, InputError  # noqa: E402
from mewm.training.checkpoint import BEST, LAST, load_checkpoint  # noqa: E402
from mewm.training.draws import Draws, StepSampler, batches  # noqa: E402
from mewm.training.learner import Learner, Optimisation, frozen  # noqa: E402
from mewm.training.loop import LoopSettings, train  # noqa: E402
from mewm.training.processes import processes  # noqa: E402

SETTINGS = LoopSettings(steps=12, batch=4, seed=3, log_every=4, validate_every=6, save_every=1, best="distance")


def draw(item, rng):
    x = torch.from_numpy(rng.normal(size=4).astype(np.float32))
    return {"x": x, "y": x.sum() + item}


def fit(folder, settings=SETTINGS, *, noise=0.1, after=None, config=None, tell=None):
    """Fit a line; ``after`` is called with the number of every step that has been computed."""
    torch.manual_seed(settings.seed)
    line = torch.nn.Linear(4, 1)

    def loss(batch, step):
        # Dropout takes its numbers from the global generator.
        seen = torch.nn.functional.dropout(batch["x"], 0.1 if noise else 0.0)
        value = (line(seen)[:, 0] - batch["y"]).square().mean()
        shaken = noise * torch.empty(()).normal_(generator=step.generator) * line.weight.sum()
        if after is not None:
            after(step.number)
        return {"loss": value + shaken}

    def validate(modules, board, step):
        assert not torch.is_grad_enabled() and not modules["line"].training
        return {"distance": float((modules["line"].weight - 1).abs().sum())}

    with processes("cpu") as group:
        learner = Learner(line, loss, Optimisation(learning_rate=0.1, warmup=3, average=0.8))
        draws = Draws(5, draw, settings.seed)
        best = train({"line": learner}, draws, settings, folder, group, validate=validate, config=config, tell=tell)
    return line.weight.detach().clone(), learner.best_module.weight.detach().clone(), best


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, fit(folder)


def test_every_item_comes_once_in_a_round_and_an_example_is_its_numbers_alone():
    draws = Draws(7, lambda item, rng: {"item": item, "value": rng.random()}, seed=1)
    rounds = [[draws[k]["item"] for k in range(r * 7, r * 7 + 7)] for r in range(3)]
    assert all(sorted(items) == list(range(7)) for items in rounds) and rounds[0] != rounds[1]
    assert draws[20]["value"] == Draws(7, lambda item, rng: {"value": rng.random()}, seed=1)[20]["value"]
    assert len({draws[k]["value"] for k in range(50)}) == 50


def test_processes_share_a_batch_and_a_late_start_goes_on():
    all_numbers = list(StepSampler(0, 5, 4))
    shares = [list(StepSampler(0, 5, 4, rank, 2)) for rank in (0, 1)]
    assert [sorted(a + b) for a, b in zip(*shares, strict=True)] == all_numbers
    assert list(StepSampler(3, 5, 4)) == all_numbers[3:]
    with pytest.raises(InputError, match="multiple of 3"):
        StepSampler(0, 5, 4, 0, 3)


def test_workers_draw_the_same_examples():
    draws = Draws(5, draw, 1)
    alone = [b["x"] for b in batches(draws, StepSampler(2, 5, 3))]
    helped = [b["x"] for b in batches(draws, StepSampler(2, 5, 3), workers=1)]
    torch.testing.assert_close(torch.stack(helped), torch.stack(alone), rtol=0, atol=0)


@pytest.mark.parametrize("stopped_after", [1, 5, 6, 11])
def test_a_training_that_was_stopped_ends_with_the_same_weights(whole, tmp_path, stopped_after):
    def stop(number):
        if number == stopped_after - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Cancelled, match=f"after step {stopped_after};"):
        fit(tmp_path, after=stop)
    assert load_checkpoint(tmp_path / LAST)["step"] == stopped_after
    resumed, averaged, best = fit(tmp_path)
    assert torch.equal(resumed, whole[1][0]) and torch.equal(averaged, whole[1][1]) and best == whole[1][2]
    assert load_checkpoint(tmp_path / BEST)["step"] == load_checkpoint(whole[0] / BEST)["step"]


def test_another_seed_gives_other_weights_and_the_average_lags(whole, tmp_path):
    weights, averaged, _ = fit(tmp_path, LoopSettings(**{**vars(SETTINGS), "seed": 4}))
    assert not torch.allclose(weights, whole[1][0]) and not torch.allclose(weights, averaged)


def test_other_settings_do_not_go_on_and_more_steps_do(whole, tmp_path):
    fit(tmp_path, LoopSettings(**{**vars(SETTINGS), "steps": 6}))
    with pytest.raises(InputError, match=r"other settings \(batch, width\)"):
        fit(tmp_path, LoopSettings(**{**vars(SETTINGS), "batch": 8}), config={"width": 2})
    fit(tmp_path, LoopSettings(**{**vars(SETTINGS), "steps": 8}))
    assert load_checkpoint(tmp_path / LAST)["step"] == 8


def test_what_is_told_and_logged(tmp_path):
    told = []
    fit(tmp_path, tell=told.append)
    assert [r.step for r in told] == [4, 6, 8, 12, 12] and told[-1].seconds_left == 0
    assert [set(r.figures) for r in told][1] == {"distance"} and "line/loss" in told[0].figures
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logged = EventAccumulator(str(tmp_path / "logs")).Reload()
    assert [e.step for e in logged.Scalars("line/loss")] == [4, 8, 12]
    assert [e.step for e in logged.Scalars("validation/distance")] == [6, 12]


def test_processes_wait_while_the_first_one_prepares(monkeypatch):
    """Encoding a cohort takes longer than the ten minutes after which NCCL gives up by default."""
    asked = {}
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("torch.distributed.init_process_group", lambda backend, **how: asked.update(how))
    monkeypatch.setattr("torch.distributed.get_rank", lambda: 1)
    monkeypatch.setattr("torch.distributed.destroy_process_group", lambda: None)
    with processes("cpu") as group:
        assert not group.first
    assert asked["timeout"] >= timedelta(days=1)


TOGETHER = """
import sys
from pathlib import Path
import torch
import mewm.compute
from mewm.dynamics.autoencoder.bottleneck import VectorBottleneck
from mewm.training.processes import processes
mewm.compute.half_type = lambda device: None
sys.path.insert(0, sys.argv[1])
from test_training_loop import fit
with processes("cpu") as group:
    fit(Path(sys.argv[2]), noise=0.0)
    bottleneck = VectorBottleneck(8, codes=16)
    generator = torch.Generator().manual_seed(group.rank)
    for _ in range(3):
        bottleneck(torch.randn(1, 8, 4, 4, 4, generator=generator), generator)
    torch.save(bottleneck.state_dict(), Path(sys.argv[2]) / f"codes_{group.rank}.pt")
"""


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What two processes leave: the line's checkpoints, and the codebook of each after a few batches of its own."""
    pytest.importorskip("monai", reason="the 'learned' extra is not installed")
    folder = tmp_path_factory.mktemp("together")
    (folder / "two.py").write_text(TOGETHER)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    command += [str(folder / "two.py"), str(Path(__file__).parent), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    running = subprocess.Popen(command, text=True, env=environment, start_new_session=True, **pipes)
    try:
        errors = running.communicate(timeout=300)[1]
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        raise
    assert running.returncode == 0, errors
    return folder


def test_two_processes_learn_what_one_does(together, tmp_path, monkeypatch):
    """The batch is shared and the gradients averaged, so the weights are those of one process up to rounding.

    In 32 bits: where a processor has 16 bits, their rounding would be the larger part of what is compared.
    """
    monkeypatch.setattr("mewm.compute.half_type", lambda device: None)
    alone = fit(tmp_path, noise=0.0)[0]
    shared = load_checkpoint(together / LAST)["learners"]["line"]["module"]["weight"]
    torch.testing.assert_close(shared, alone, rtol=1e-5, atol=1e-6)


def test_two_processes_have_one_codebook(together):
    first, second = (torch.load(together / f"codes_{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_loss_that_is_no_number_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="no longer a number at step 0") as caught:
        fit(tmp_path, noise=float("nan"))
    assert "\n" not in str(caught.value)


def test_a_figure_to_choose_by_that_is_not_measured_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="no figure 'loss' to choose by; choose one of distance"):
        fit(tmp_path, LoopSettings(**{**vars(SETTINGS), "best": "loss"}))


@pytest.mark.parametrize("name", ["steps", "batch", "log_every", "validate_every", "save_every"])
def test_a_loop_without_rhythm_is_one_sentence(name):
    with pytest.raises(InputError, match=f"'{name}' of the loop is 0; give a number from 1 on"):
        LoopSettings(**{name: 0})


def test_a_frozen_module_lets_gradients_through_and_gets_none():
    first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
    with frozen(second):
        loss = second(first(torch.ones(1, 2))).sum()
    loss.backward()
    assert first.weight.grad is not None and second.weight.grad is None and second.weight.requires_grad


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, content):
    (tmp_path / LAST).write_bytes(content)
    with pytest.raises(InputError, match="is damaged") as caught:
        fit(tmp_path)
    assert "\n" not in str(caught.value)
