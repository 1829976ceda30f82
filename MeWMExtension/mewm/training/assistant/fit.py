"""Train an nnU-Net on a cohort: write the raw dataset, then let nnU-Net do the rest in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mewm.cohort.dataset import Cohort, read_cohort
from mewm.errors import InputError, MewmError
from mewm.training.assistant.config import AssistantConfig
from mewm.training.assistant.nnunet_process import CONFIGURATION, FOLDERS, PLANS, SETTINGS, TRAINER
from mewm.training.assistant.raw_dataset import NAMES, Progress, write_raw_dataset
from mewm.training.one_process import require_one_process
from mewm.training.volumes import table_hash

LOG = "nnunet.log"
Tell = Callable[[dict[str, Any]], None]


def train_assistant(
    cohort: Path,
    work: Path,
    config: AssistantConfig,
    *,
    device: str | None = None,
    tell: Tell | None = None,
    writing: Progress | None = None,
) -> Path:
    """Train on the cohort's train split, validate on its val split; go on where it was stopped, to the epoch.

    Args:
        cohort: dataset folder (docs/cohort.md).
        work: gets nnU-Net's three folders, ``settings.json`` and what nnU-Net says, ``nnunet.log``.
        config: the configuration.
        device: where; without one the fastest there is.
        tell: called with ``{"stage": …}`` and with the figures of every epoch.
        writing: called with images written and images in all while the raw dataset is written.

    Returns:
        nnU-Net's model folder: ``plans.json``, ``dataset.json``, ``fold_0/checkpoint_final.pth``.

    Raises:
        InputError: the cohort cannot be used, the folder was begun with other settings or another cohort, or
            ``torchrun`` started several processes.
        MewmError: nnU-Net stopped.
    """
    from mewm.compute import choose_device

    # Each process would write the same folder.
    require_one_process("assistant")
    where = choose_device(device)
    data, work = read_cohort(Path(cohort)), Path(work).resolve()
    folder = model_folder(work, config)
    _keep_settings(work, decisive(data, config))
    if (folder / "fold_0" / "checkpoint_final.pth").is_file():
        return folder
    write_raw_dataset(data, config, work / FOLDERS["nnUNet_raw"], writing)
    _run(work, str(where), tell or (lambda event: None))
    return folder


def model_folder(work: Path, config: AssistantConfig) -> Path:
    """Return nnU-Net's model folder of a training."""
    return work / FOLDERS["nnUNet_results"] / NAMES[config.task] / f"{TRAINER}__{PLANS}__{CONFIGURATION}"


def decisive(cohort: Cohort, config: AssistantConfig) -> dict[str, Any]:
    """Return what decides the result of a training, as ``settings.json`` keeps it."""
    return {"config": _as_kept(config), "cohort": table_hash(cohort)}


def _as_kept(config: AssistantConfig) -> dict[str, Any]:
    """Return settings as they come back from JSON."""
    kept: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return kept


def require_same(work: Path, cohort: Cohort, config: AssistantConfig) -> None:
    """Raise unless the training in a folder is that of a cohort and a configuration.

    Args:
        work: the training's folder.
        cohort: the dataset.
        config: the configuration.

    Raises:
        InputError: nothing was trained there, or it was with other settings or another cohort.
    """
    if not (work / SETTINGS).is_file():
        raise InputError(f"There is no training in {work} (no {SETTINGS}); train first, or name its folder.")
    if differ := _differences(work / SETTINGS, decisive(cohort, config)):
        raise InputError(
            f"The training in {work} was begun with {differ}; give the configuration and the cohort that it was "
            "trained with."
        )


def _keep_settings(work: Path, settings: dict[str, Any]) -> None:
    path = work / SETTINGS
    try:
        if path.is_file():
            if differ := _differences(path, settings):
                raise InputError(f"The training in {work} was begun with {differ}; choose an empty folder.")
            return
        work.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    except OSError as error:
        raise InputError(f"The folder {work} cannot be written ({error.strerror or error}).") from error


def _differences(path: Path, settings: dict[str, Any]) -> str:
    """Return in words how the settings that are kept differ from others; empty where they do not."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        # A setting that is younger than the training had no other value than its default.
        before, cohort = {**_as_kept(AssistantConfig()), **kept["config"]}, kept["cohort"]
    except OSError as error:
        raise InputError(f"The file {path} cannot be read ({error.strerror or error}).") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"The file {path} is damaged; choose an empty folder.") from error
    now = settings["config"]
    names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    told = [f"other settings ({', '.join(names)})"] if names else []
    return " and ".join([*told, *(["another cohort"] if cohort != settings["cohort"] else [])])


def process_device(device: str, environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return what nnU-Net's process is told of a device: its name there, and the variables that say which GPU it is.

    nnU-Net's trainer takes the first GPU that it sees whatever it is told, so it is shown only the one it shall take.

    Args:
        device: ``"cpu"``, ``"mps"``, ``"cuda"``, or a GPU by its number here such as ``"cuda:1"``.
        environment: the variables of this process; where they hide GPUs, the number counts those that are left.
    """
    kind, _, number = device.partition(":")
    if kind != "cuda" or not number:
        return kind, {}
    visible = [name.strip() for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return kind, {"CUDA_VISIBLE_DEVICES": visible[int(number)] if visible else number}


def _run(work: Path, device: str, tell: Tell) -> None:
    name, shown = process_device(device, os.environ)
    command = [sys.executable, "-m", "mewm.training.assistant.nnunet_process", str(work), name]
    # The same mewm there as here, however it was found.
    paths = [str(Path(__file__).resolve().parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | shown
    log = work / LOG
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                tell(json.loads(line))
            status = process.wait()
        finally:
            _end(process)
    if status == 130:
        raise KeyboardInterrupt
    if status != 0:
        last = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()][-1:]
        raise MewmError(f"nnU-Net stopped ({last[0].strip() if last else 'it said nothing'}); {log} says more.")


def _end(process: subprocess.Popen[str]) -> None:
    """Leave no orphan: after Ctrl-C the other process has had its own, unless only this one was told."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
