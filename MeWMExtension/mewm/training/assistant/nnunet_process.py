"""The process in which nnU-Net fingerprints, plans, preprocesses and trains: ``python -m`` this module ``WORK DEVICE``.

nnU-Net takes its folders from the environment when it is imported and talks a lot; here it has a process of its own,
whose standard output carries one JSON object a line: ``{"stage": …}`` or the figures of an epoch.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from mewm.training.assistant.config import AssistantConfig
from mewm.training.config import from_mapping

SETTINGS = "settings.json"
FOLDERS = {"nnUNet_raw": "nnunet_raw", "nnUNet_preprocessed": "nnunet_preprocessed", "nnUNet_results": "nnunet_results"}
PLANS = "MewmPlans"
CONFIGURATION = "3d_lesion"
TRAINER = "LesionTrainer"
GROWN = "grown.json"
"""In nnU-Net's folder of preprocessed data: the images whose tumour grew out of the drawn lesion."""


def main(work: Path, device: str) -> None:
    """Do what is left to do in ``work``."""
    for variable, folder in FOLDERS.items():
        (work / folder).mkdir(parents=True, exist_ok=True)
        os.environ[variable] = str(work / folder)
    content = json.loads((work / SETTINGS).read_text(encoding="utf-8"))["config"]
    config = from_mapping(content, AssistantConfig, str(work / SETTINGS))
    # The planner takes the number of loaders for its threads, of which it needs one.
    os.environ.update(nnUNet_n_proc_DA=str(max(1, config.loaders)))
    # Nothing leaves the machine.
    os.environ.pop("nnUNet_wandb_enabled", None)
    # From here on everybody's prints go where the errors go, those of nnU-Net's workers too.
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(event: dict[str, Any]) -> None:
        print(json.dumps(event), file=told, flush=True)

    _prepare(work, config, tell)
    os.environ.update(nnUNet_n_proc_DA=str(config.loaders))
    _train(work, config, device, tell)


def _prepare(work: Path, config: AssistantConfig, tell: Any) -> None:
    from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprint_dataset
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor

    from mewm.training.assistant.plan import write_plan
    from mewm.training.assistant.raw_dataset import DATASET_ID, NAMES, grown_images

    folder = work / FOLDERS["nnUNet_preprocessed"] / NAMES[config.task]
    # nnU-Net writes in place: only a mark made afterwards tells a whole file from one that was interrupted.
    fingerprinted, preprocessed = folder / "fingerprinted", folder / "preprocessed"
    if not fingerprinted.is_file():
        tell({"stage": "fingerprint"})
        extract_fingerprint_dataset(DATASET_ID, num_processes=config.processes, show_progress_bar=False)
        fingerprinted.touch()
    if not (folder / f"{PLANS}.json").is_file():
        tell({"stage": "plan"})
        write_plan(folder / f"{PLANS}.json", config)
    if not preprocessed.is_file():
        tell({"stage": "preprocess"})
        preprocessor = DefaultPreprocessor(verbose=False)
        preprocessor.show_progress_bar = False
        preprocessor.run(DATASET_ID, CONFIGURATION, PLANS, num_processes=config.processes)
        preprocessed.touch()
    grown = folder / GROWN
    if config.grown > 1 and not grown.is_file():
        tell({"stage": "growth"})
        names = grown_images(work / FOLDERS["nnUNet_raw"] / NAMES[config.task], config)
        partial = grown.with_suffix(".partial")
        partial.write_text(json.dumps(names), encoding="utf-8")
        partial.replace(grown)


def _train(work: Path, config: AssistantConfig, device: str, tell: Any) -> None:
    import torch
    from nnunetv2.run.run_training import maybe_load_checkpoint

    from mewm.training.assistant.raw_dataset import NAMES
    from mewm.training.assistant.trainer import LesionTrainer

    folder = work / FOLDERS["nnUNet_preprocessed"] / NAMES[config.task]
    plans, dataset = (json.loads((folder / f"{n}.json").read_text(encoding="utf-8")) for n in (PLANS, "dataset"))
    LesionTrainer.config, LesionTrainer.tell = config, staticmethod(tell)
    if config.grown > 1:
        LesionTrainer.grown_cases = frozenset(json.loads((folder / GROWN).read_text(encoding="utf-8")))
    plans["continue_training"] = True
    trainer = LesionTrainer(plans, CONFIGURATION, 0, dataset, torch.device(device))
    tell({"stage": "train"})
    # As nnUNetv2_train --c: the last checkpoint where there is one.
    maybe_load_checkpoint(trainer, True, False)
    trainer.run_training()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2])
    except KeyboardInterrupt:
        sys.exit(130)
