"""A cohort's lesion regions as a raw dataset of nnU-Net v2: numbered cases, without names, facts and positions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mewm.actions.protocol import Protocol
from mewm.assistant.nnunet import CHANNELS, network_inputs
from mewm.cohort.dataset import Cohort, CohortCase, CohortRow, write_image
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.errors import InputError
from mewm.roles import Tissue
from mewm.training.assistant.config import LABELS, AssistantConfig

DATASET_ID = 1
NAMES = {"post": "Dataset001_PostTace", "pre": "Dataset001_PreTace"}
ENDING = ".nrrd"
GROWN_VOXELS, GROWN_SHARE = 100, 0.05
"""From how much viable tumour outside the drawn lesion an image counts as one of growth: voxels, share of all of it."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Item:
    """One image of the dataset: a case's true CT, or a simulated one under another case's protocol."""

    name: str
    row: CohortRow
    protocol: Protocol | None
    seed: int


def write_raw_dataset(cohort: Cohort, config: AssistantConfig, folder: Path, progress: Progress | None = None) -> Path:
    """Write the cases of the train and val splits; the test split is never read. What is there already stays.

    Args:
        cohort: the dataset.
        config: task, channels, which cases.
        folder: nnU-Net's ``nnUNet_raw``.
        progress: called with images written and images in all.

    Returns:
        The dataset's folder: ``imagesTr``, ``labelsTr``, ``dataset.json`` and ``splits_final.json`` with one fold.

    Raises:
        InputError: a split has no case, no follow-up is marked, an image is damaged, or the folder cannot be written.
    """
    target = folder / NAMES[config.task]
    listed = target / "dataset.json"
    if listed.is_file():
        return target
    train, held = (list(_items(cohort, config, split)) for split in ("train", "val"))
    for split, items in (("train", train), ("val", held)):
        if not items:
            raise InputError(f"The cohort {cohort.folder} has no case in its {split} split; choose another.")
    report = progress or (lambda done, total: None)
    try:
        for part in ("imagesTr", "labelsTr"):
            (target / part).mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(config.processes) as pool:
            for done, _ in enumerate(pool.map(lambda item: _write(cohort, config, item, target), train + held), 1):
                report(done, len(train) + len(held))
        splits = [{"train": [i.name for i in train], "val": [i.name for i in held]}]
        (target / "splits_final.json").write_text(json.dumps(splits, indent=1), encoding="utf-8")
        content = {
            "channel_names": {str(k): CHANNELS[word] for k, word in enumerate(config.channels)},
            "labels": LABELS[config.task],
            "numTraining": len(train) + len(held),
            "file_ending": ENDING,
            "overwrite_image_reader_writer": "SimpleITKIO",
        }
        # Written last: it says that the rest is whole.
        listed.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"The nnU-Net dataset cannot be written to {target} ({error.strerror or error}); free some space or choose "
            "another folder."
        ) from error
    return target


def grown_images(target: Path, config: AssistantConfig) -> list[str]:
    """Return the names of the images in which much of the viable tumour lies outside the drawn lesion.

    Args:
        target: a dataset of :func:`write_raw_dataset`.
        config: the one it was written with; the drawn lesion is among its channels.
    """
    channel = config.channels.index("lesion")

    def grew(name: str) -> bool:
        tissue = sitk.GetArrayFromImage(sitk.ReadImage(str(target / "labelsTr" / f"{name}{ENDING}")))
        lesion = sitk.GetArrayFromImage(sitk.ReadImage(str(target / "imagesTr" / f"{name}_{channel:04d}{ENDING}")))
        viable = tissue == Tissue.VIABLE
        outside = int(np.count_nonzero(viable & (lesion == 0)))
        return outside >= max(GROWN_VOXELS, GROWN_SHARE * int(np.count_nonzero(viable)))

    names = sorted(path.name.removesuffix(ENDING) for path in (target / "labelsTr").glob(f"*{ENDING}"))
    names = [name for name in names if "." not in name]
    with ThreadPoolExecutor(config.processes) as pool:
        return [name for name, grown in zip(names, pool.map(grew, names), strict=True) if grown]


def _items(cohort: Cohort, config: AssistantConfig, split: str) -> Iterator[_Item]:
    rows = cohort.split(split)
    rows = rows[: config.validation_cases] if split == "val" else rows[: config.cases or None]
    rng = np.random.default_rng(np.random.SeedSequence([config.seed, len(split)]))
    simulates = config.task == "post"
    for number, row in enumerate(rows):
        # Protocols of other cases: a search simulates what nobody gave.
        other = rows[int(rng.integers(len(rows)))].protocol
        seed, share = int(rng.integers(2**31)), float(rng.random())
        yield _Item(f"{split}_{number:05d}", row, None, 0)
        if simulates and share < config.simulated:
            yield _Item(f"{split}_{number:05d}s", row, other, seed)


def _write(cohort: Cohort, config: AssistantConfig, item: _Item, target: Path) -> None:
    label_path = target / "labelsTr" / f"{item.name}{ENDING}"
    if label_path.is_file():
        return
    case = cohort.load(item.row)
    post, labels = _labelled(case, config, item, cohort.folder)
    volumes = network_inputs(case.roi, np.rint(post), [CHANNELS[word] for word in config.channels])
    spacing = case.roi.spacing if config.spacing_mm else 1.0
    for k, (word, volume) in enumerate(zip(config.channels, volumes, strict=True)):
        array = np.rint(volume).astype(np.int16) if word != "lesion" else volume.astype(np.uint8)
        write_image(array, spacing, (0.0, 0.0, 0.0), target / "imagesTr" / f"{item.name}_{k:04d}{ENDING}")
    # A name that ends otherwise, so that a file cut short by an interruption is not taken for a label.
    partial = label_path.with_name(f"{item.name}.partial{ENDING}")
    write_image(labels, spacing, (0.0, 0.0, 0.0), partial)
    partial.replace(label_path)


def _labelled(case: CohortCase, config: AssistantConfig, item: _Item, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the CT after treatment and the labels that are to be learnt, uint8."""
    if config.task == "pre":
        labels = np.where(case.roi.lesion, np.uint8(2), case.roi.liver.astype(np.uint8))
        return case.post_ct, labels.astype(np.uint8)
    if item.protocol is not None:
        dynamics = MechanisticDynamics()
        ct = dynamics.simulate(case.roi, item.protocol, [item.seed])[0]
        return ct, dynamics.tissue(case.roi, item.protocol, item.seed).astype(np.uint8)
    if case.tissue is None:
        raise InputError(
            f"Nobody marked the follow-up CT of {item.row.case_id} in the cohort {folder} (no tissue.nrrd); the "
            "assistant is trained on cohorts whose follow-up is marked."
        )
    return case.post_ct, np.minimum(case.tissue, Tissue.LIPIODOL).astype(np.uint8)
