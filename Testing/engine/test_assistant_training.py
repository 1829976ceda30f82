"""What the training of the assistant keeps of its settings, and what it tells nnU-Net's process; no network is run."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from mewm.cohort.dataset import COLUMNS, SCHEMA, read_cohort, write_table
from mewm.errors import InputError
from mewm.training.assistant import fit
from mewm.training.assistant.config import AssistantConfig

CONFIG = AssistantConfig()
CARD = {"protocol": "Lobaplatin 30 mg; Lipiodol 10 ml", "os_weeks": 50.0, "event": 1}


def cohort_of(folder, weeks=50.0):
    """A cohort's table without images."""
    folder.mkdir()
    (folder / "cohort.json").write_text(json.dumps({"schema": SCHEMA, "status": "complete"}), encoding="utf-8")
    rows = [
        {**CARD, "case_id": f"c{k}", "split": split, "os_weeks": weeks} for k, split in enumerate(("train", "test"))
    ]
    write_table(folder / "cases.csv", COLUMNS, rows)
    return read_cohort(folder)


@pytest.fixture
def cohort(tmp_path):
    return cohort_of(tmp_path / "cohort")


@pytest.fixture
def work(tmp_path, cohort):
    """The folder of a training of ``cohort`` that was only begun."""
    folder = tmp_path / "work"
    fit._keep_settings(folder, fit.decisive(cohort, CONFIG))
    return folder


@pytest.mark.parametrize("change", ["settings", "cohort"])
def test_a_bundle_is_made_of_the_training_that_was_asked_for_only(change, cohort, work, tmp_path):
    pytest.importorskip("torch", reason="the 'learned' extra is not installed")
    pytest.importorskip("nnunetv2", reason="the 'learned' extra is not installed")
    from mewm.training.assistant.export import export_assistant

    config, folder, told = CONFIG, cohort.folder, "no checkpoint"
    with pytest.raises(InputError, match=told):
        export_assistant(folder, work, config, "", tmp_path / "out")
    if change == "settings":
        config, told = replace(CONFIG, simulated=0.0, epochs=3), r"other settings \(epochs, simulated\); give"
    else:
        folder, told = cohort_of(tmp_path / "other", weeks=60.0).folder, "begun with another cohort; give"
    with pytest.raises(InputError, match=told):
        export_assistant(folder, work, config, "", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_no_training_or_damaged_settings_is_told(cohort, work, tmp_path):
    with pytest.raises(InputError, match="There is no training in"):
        fit.require_same(tmp_path / "none", cohort, CONFIG)
    fit.require_same(work, cohort, CONFIG)
    (work / "settings.json").write_text("[]", encoding="utf-8")
    for check in (fit.require_same, lambda *given: fit._keep_settings(work, fit.decisive(*given[1:]))):
        with pytest.raises(InputError, match="damaged"):
            check(work, cohort, CONFIG)


@pytest.mark.parametrize(
    ("device", "here", "told"),
    [
        ("cpu", {}, ("cpu", None)),
        ("mps", {}, ("mps", None)),
        ("cuda", {"CUDA_VISIBLE_DEVICES": "2,3"}, ("cuda", "2,3")),
        ("cuda:0", {}, ("cuda", "0")),
        ("cuda:1", {}, ("cuda", "1")),
        ("cuda:1", {"CUDA_VISIBLE_DEVICES": "2, GPU-3"}, ("cuda", "GPU-3")),
    ],
)
def test_nnunets_process_sees_the_gpu_that_was_named(device, here, told, tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name, value in here.items():
        monkeypatch.setenv(name, value)
    started = []

    def start(command, env, **others):
        started.append((command[-1], env.get("CUDA_VISIBLE_DEVICES")))
        return SimpleNamespace(stdout=[], wait=lambda: 0, poll=lambda: 0)

    monkeypatch.setattr(fit.subprocess, "Popen", start)
    fit._run(tmp_path, device, lambda event: None)
    assert started == [told]
