"""What the training commands refuse, and that they do so before PyTorch is loaded."""

import json
import subprocess
import sys

import pytest

MODELS = ("autoencoder", "dynamics", "survival", "assistant")
REFUSED = """
import json, sys
from mewm.cli import main
status = main(sys.argv[1:])
print(json.dumps([status, "torch" in sys.modules]))
"""


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "holds no cohort"),
        (["--config", "nosuch.yaml"], "The configuration nosuch.yaml does not exist"),
        (["--export-only"], "say where with --out"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_once(model, arguments, told, tmp_path):
    command = ["train", model, "--cohort", "nosuch", "--work", "work", *arguments]
    found = subprocess.run([sys.executable, "-c", REFUSED, *command], capture_output=True, text=True, cwd=tmp_path)
    assert json.loads(found.stdout) == [2, False]
    assert found.stderr.startswith("mewm: ") and told in found.stderr and found.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", ["autoencoder", "dynamics", "survival"])
@pytest.mark.parametrize(
    ("stop", "told"),
    [
        ("Cancelled", "stopped after step 3; the same command goes on"),
        ("KeyboardInterrupt", "the same command goes on"),
    ],
)
def test_a_stopped_training_says_that_it_goes_on(model, stop, told, tmp_path, monkeypatch, capsys):
    """Ctrl-C while cases are prepared is no less kept than one while the network learns."""
    for package in ("torch", "tensorboard", "open_clip", "lifelines", "yaml"):
        pytest.importorskip(package, reason="the 'learned' and 'evaluation' extras are not installed")
    from mewm.cli import main
    from mewm.errors import Cancelled

    def interrupted(*given, **named):
        raise {"Cancelled": Cancelled, "KeyboardInterrupt": KeyboardInterrupt}[stop](told)

    monkeypatch.setattr(f"mewm.training.{model}.fit.train_{model}", interrupted)
    commands = "train" if model == "autoencoder" else f"train_{model}"
    monkeypatch.setattr(f"mewm.cli.{commands}.check_training_arguments", lambda args: None)
    assert main(["train", model, "--cohort", str(tmp_path), "--work", str(tmp_path), "--device", "cpu"]) == 130
    said = capsys.readouterr()
    assert told in said.out + said.err and "nothing was written" not in said.err


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["train", "cox", "--cohort", "nosuch"], "holds no cohort"),
        (["train", "clinical-cox", "--table", "nosuch.csv"], "nosuch.csv does not exist"),
    ],
)
def test_a_regression_without_its_data_is_refused_and_leaves_nothing_behind(command, told, tmp_path):
    given = [sys.executable, "-m", "mewm", *command, "--out", "out"]
    found = subprocess.run(given, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 2 and found.stdout == ""
    assert found.stderr.startswith("mewm: ") and told in found.stderr and found.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        ["train", "dynamics", "--cohort", "c", "--work", "w", "--test-cases", "0"],
        ["evaluate", "--cohort", "c", "--out", "o", "--workers", "0"],
        ["cohort", "simulate", "--cases", "1", "--workers", "-2", "o"],
    ],
)
def test_a_number_below_one_is_refused(command, capsys):
    from mewm.cli import main

    with pytest.raises(SystemExit) as stopped:
        main(command)
    assert stopped.value.code == 2
    assert "is not a whole number from 1" in capsys.readouterr().err
