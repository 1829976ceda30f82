"""A simulated case as files, to try everything on where no real CT is at hand."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mewm.cohort.simulate import NOTICE, simulate_patient
from mewm.errors import InputError
from mewm.image_write import write_image
from mewm.roi import grid_image
from mewm.run_files import write_json

NAME = "simulated-phantom"
# Of the first patients of this cohort the one whom TACE is made for: an enhancing lesion of 3 cm in the arterial
# phase, Child-Pugh A5, BCLC B.
SEED, INDEX = 1, 13


def write_phantom(folder: Path, *, seed: int = SEED, index: int = INDEX) -> dict[str, Any]:
    """Simulate a patient before treatment and write CT, lesion, liver and clinical facts.

    Args:
        folder: where to write; made if needed, files of the same name are replaced.
        seed: seed of the simulated cohort the patient is from.
        index: which patient of it.

    Returns:
        ``ct``, ``lesion`` and ``liver`` (paths), ``facts``, ``name`` of the case and ``notice``.

    Raises:
        InputError: a negative seed or index.
    """
    for what, value in (("seed", seed), ("index", index)):
        if value < 0:
            raise InputError(f"The {what} of the simulated case is {value}; give 0 or more.")
    patient = simulate_patient(seed, index)
    roi = patient.roi
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"ct": roi.ct.astype(np.int16), "lesion": roi.lesion, "liver": roi.liver}
    paths = {key: folder / f"simulated_{key}.nrrd" for key in arrays}
    for key, array in arrays.items():
        write_image(grid_image(roi, array), paths[key])
    facts = {key: value for key, value in asdict(roi.facts).items() if value not in (None, ())}
    write_json(folder / "facts.json", facts)
    name = f"{NAME}-{seed}-{index}"
    return {**{key: str(path) for key, path in paths.items()}, "facts": facts, "name": name, "notice": NOTICE}
