"""What the training of the survival model refuses before it reads a case, and where its models run."""

import json

import pytest

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("torchvision", reason="the 'learned' extra is not installed")
pytest.importorskip("tensorboard", reason="the 'learned' extra is not installed")

from mewm.cli import main  # noqa: E402
from mewm.cohort.dataset import COLUMNS, SCHEMA, write_table  # noqa: E402
from mewm.errors import InputError  # noqa: E402
from mewm.survival.attention.encoder import Mc3Encoder  # noqa: E402
from mewm.training.survival import fit  # noqa: E402
from mewm.training.survival.config import SurvivalConfig  # noqa: E402


@pytest.fixture
def cohort(tmp_path):
    """A cohort's table without images."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    (folder / "cohort.json").write_text(json.dumps({"schema": SCHEMA, "status": "complete"}), encoding="utf-8")
    row = {"protocol": "Lobaplatin 30 mg; Lipiodol 10 ml", "os_weeks": 50.0, "event": 1}
    write_table(folder / "cases.csv", COLUMNS, [{**row, "case_id": s, "split": s} for s in ("train", "val")])
    return folder


@pytest.mark.parametrize("damage", ["cut short", "words", "code", "a tensor", "nothing", "a folder", "missing"])
def test_pretrained_weights_that_cannot_be_used_are_told_in_one_sentence(damage, tmp_path):
    path, told = tmp_path / "mc3_18.pth", "damaged, or no file that torch.save wrote of tensors alone"
    if damage == "cut short":
        torch.save({"stem.0.weight": torch.zeros(64, 3, 3, 7, 7)}, path)
        path.write_bytes(path.read_bytes()[:5000])
    elif damage in ("words", "nothing"):
        path.write_text("these are no weights" if damage == "words" else "", encoding="utf-8")
    elif damage == "code":
        torch.save({"stem.0.weight": tmp_path}, path)
    elif damage == "a tensor":
        torch.save(torch.zeros(3), path)
        told = "not those of mc3_18"
    else:
        told = r"cannot be read \(No such file or directory\)"
        if damage == "a folder":
            path.mkdir()
            told = r"cannot be read \(Is a directory\)"
    with pytest.raises(InputError, match=told) as found:
        Mc3Encoder(6, width=4).begin_with(path)
    assert "\n" not in str(found.value) and "Errno" not in str(found.value)


def test_wrong_weights_are_told_before_any_case_is_read(cohort, tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "open_cohort", lambda *given: pytest.fail("cases were read"))
    config = SurvivalConfig(network={"width": 4, "dim": 16, "heads": 2, "blocks": 1}, pretrained=str(tmp_path / "none"))
    with pytest.raises(InputError, match="none cannot be read"):
        fit.train_survival(cohort, tmp_path / "work", config, None, None, device="cpu")


def test_several_processes_are_refused_before_any_case_is_read(cohort, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(fit, "open_cohort", lambda *given: pytest.fail("cases were read"))
    with pytest.raises(InputError, match="torchrun started 2"):
        fit.train_survival(cohort, tmp_path / "work", SurvivalConfig(), None, None, device="cpu")
    assert main(["train", "survival", "--cohort", str(cohort), "--work", str(tmp_path / "work")]) == 2
    assert "torchrun started 2" in capsys.readouterr().err and not (tmp_path / "work").exists()


def test_the_models_that_make_futures_run_where_the_training_does(cohort, tmp_path, monkeypatch):
    import mewm.assistant.choose
    import mewm.dynamics.choose

    asked = []
    monkeypatch.setattr(mewm.dynamics.choose, "choose_dynamics", lambda *given: asked.append(given))
    monkeypatch.setattr(mewm.assistant.choose, "choose_assistant", lambda *given: asked.append(given))
    monkeypatch.setattr(fit, "train_survival", lambda *given, device, **others: asked.append(device) or 0.5)
    given = ["--cohort", str(cohort), "--work", str(tmp_path / "work"), "--device", "cuda:1"]
    assert main(["train", "survival", *given]) == 0
    assert asked == [("mechanistic", "cuda:1"), ("intensity", "cuda:1"), "cuda:1"]
