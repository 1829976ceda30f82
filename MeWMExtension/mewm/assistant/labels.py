"""The labels of an nnU-Net, which everyone names in their own words, as :class:`mewm.roles.Tissue`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mewm.bundle import CHECKSUMS
from mewm.errors import InputError
from mewm.roles import Tissue

MAPPING_FILE = "mewm_labels.json"
"""In an nnU-Net folder: ``{"HCC": "viable"}``, its label names in the words of :data:`TISSUES`."""
TISSUES = {
    "background": Tissue.BACKGROUND,
    "liver": Tissue.LIVER,
    "viable": Tissue.VIABLE,
    "necrosis": Tissue.NECROSIS,
    "lipiodol": Tissue.LIPIODOL,
}
_KNOWN = {
    Tissue.BACKGROUND: ("background", "portal vein", "abdominal aorta", "aorta", "spleen", "kidney", "stomach"),
    Tissue.LIVER: ("liver", "liver parenchyma", "vessel", "vessels", "hepatic vessels"),
    Tissue.VIABLE: (
        *("viable", "viable tumour", "viable tumor", "enhancing tumour", "enhancing tumor", "tumour", "tumor"),
        *("liver tumour", "liver tumor", "lesion", "liver lesion", "hcc", "mass", "cancer"),
    ),
    Tissue.NECROSIS: ("necrosis", "necrotic", "necrotic tumour", "necrotic tumor"),
    Tissue.LIPIODOL: ("lipiodol", "oil", "lipiodol deposit", "iodised oil", "iodized oil"),
}
_BY_NAME = {name: tissue for tissue, names in _KNOWN.items() for name in names}


def tissue_table(labels: Mapping[str, Any], folder: Path) -> np.ndarray:
    """Return the tissue of every label value of an nnU-Net.

    Args:
        labels: ``labels`` of its ``dataset.json``: name → value.
        folder: the nnU-Net folder, for messages; a file :data:`MAPPING_FILE` in it says what unusual names mean.

    Returns:
        uint8 table: ``table[value of the network]`` is a :class:`mewm.roles.Tissue`.

    Raises:
        InputError: a label is a region of several values, its name is not understood, or none is viable tumour.
    """
    own = _own_words(folder)
    found: dict[int, Tissue] = {}
    for name, value in labels.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 256:
            raise InputError(
                f"The label {name!r} of the nnU-Net in {folder} is {value!r}; networks of overlapping regions cannot "
                "be used here, give one whose labels are single values."
            )
        tissue = own.get(name, _BY_NAME.get(name.casefold().replace("_", " ").strip()))
        if tissue is None:
            raise InputError(
                f"The label {name!r} of the nnU-Net in {folder} is not understood; say what it is in "
                f"{folder / MAPPING_FILE}, one of {', '.join(TISSUES)}."
            )
        found[value] = tissue
    if Tissue.VIABLE not in found.values():
        raise InputError(
            f"The nnU-Net in {folder} has the labels {', '.join(labels)}, none of which is viable tumour; choose "
            "another network."
        )
    table = np.zeros(max(found) + 1, np.uint8)
    for value, tissue in found.items():
        table[value] = tissue
    return table


def _own_words(folder: Path) -> dict[str, Tissue]:
    path = folder / MAPPING_FILE
    # Of a bundle only what its checksums cover counts.
    if not path.is_file() or (folder / CHECKSUMS).is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): TISSUES[word] for name, word in content.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f"The file {path} is not understood ({error}); give an object of label names and one of "
            f"{', '.join(TISSUES)} each."
        ) from error
