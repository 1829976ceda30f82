"""A cohort as an importer leaves it: no truth and nothing marked on the follow-up."""

import json
import shutil

import numpy as np
import pytest

from mewm.actions.text import parse_protocol
from mewm.cohort.dataset import COLUMNS, SCHEMA, write_image, write_table
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.roi import cut_roi

PROTOCOL = "Cisplatin; Doxorubicin; Mitomycin; Lipiodol 10 ml"
SPLITS = ("train", "train", "train", "val", "val", "test", "test", "test")


@pytest.fixture(scope="session")
def imported(phantoms, tmp_path_factory):
    """Eight patients of one anatomy; few facts are stated, some are alive at their last visit."""
    out = tmp_path_factory.mktemp("imported") / "cohort"
    roi = cut_roi(phantoms.make_phantom_case(size=64, spacing=(2.0, 2.0, 2.0)))
    post = MechanisticDynamics().simulate(roi, parse_protocol(PROTOCOL).protocol, [5])[0]
    images = {
        "pre_ct": np.rint(roi.ct).astype(np.int16),
        "post_ct": np.rint(post).astype(np.int16),
        "lesion": roi.lesion.astype(np.uint8),
        "liver": roi.liver.astype(np.uint8),
    }
    rows = []
    for number, split in enumerate(SPLITS):
        folder = out / "cases" / f"HCC_{number:03d}"
        if number == 0:
            folder.mkdir(parents=True)
            for name, array in images.items():
                write_image(array, roi.spacing, roi.origin, folder / f"{name}.nrrd")
        else:
            shutil.copytree(out / "cases" / "HCC_000", folder)
        row = dict.fromkeys(COLUMNS)
        row |= {"case_id": folder.name, "split": split, "phase": "portal", "spacing_mm": roi.spacing}
        row |= {"age": 60.0 + number, "child_pugh": "A" if number % 2 else "B", "protocol": PROTOCOL}
        row |= {"lesion_ml": 7.0, "lesion_diameter_mm": 24.0, "os_weeks": 30.0 + 20 * number, "event": number % 4 != 3}
        row["event"] = int(row["event"])
        rows.append(row)
    write_table(out / "cases.csv", COLUMNS, rows)
    info = {"schema": SCHEMA, "status": "complete", "kind": "hcc-tace-seg", "seed": 0, "cases": len(rows)}
    (out / "cohort.json").write_text(json.dumps(info), encoding="utf-8")
    return out
