"""A small run folder made from a phantom, for tests inside and outside Slicer. Needs numpy only."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np

PROTOCOLS = (
    ("01_lobaplatin_lipiodol_gelatin_sponge", "Lobaplatin 30 mg; Lipiodol 10 ml; Gelatin Sponge 350 µm", 0.85),
    ("02_epirubicin_lipiodol", "Epirubicin 30 mg; Lipiodol 10 ml", 0.5),
)
COLUMNS = (
    "rank,protocol,risk,risk_sd,replicas,survival_1y,median_weeks,volume_change_percent,viable_fraction,"
    "lipiodol_coverage,response,origin,violations,folder"
)
NOTICE = "Synthetic volumes simulated by MeWM. Research use only, not a medical device."


def write_nrrd(path, array, directions, origin):
    """Write ``array`` ``(z, y, x)`` with LPS ``origin`` and ``directions`` (columns: mm along i, j, k)."""
    kinds = {"int16": "short", "uint8": "uchar", "float32": "float"}
    vectors = " ".join("(" + ",".join(repr(float(v)) for v in column) + ")" for column in np.asarray(directions).T)
    header = (
        "NRRD0004\n"
        f"type: {kinds[array.dtype.name]}\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(str(n) for n in array.shape[::-1])}\nspace directions: {vectors}\n"
        "kinds: domain domain domain\nendian: little\nencoding: gzip\n"
        f"space origin: ({','.join(repr(float(v)) for v in origin)})\n\n"
    )
    data = gzip.compress(np.ascontiguousarray(array).tobytes(), compresslevel=1)
    Path(path).write_bytes(header.encode("ascii") + data)


def write_run(folder, directions=None, origin=(-150.0, -110.0, -60.0), shape=(30, 110, 150)):
    """Write a complete run folder and return its manifest; ``shape`` is ``(z, y, x)`` in voxels.

    ``directions`` holds in its columns the LPS steps in mm along i, j, k; default 2 × 2 × 4 mm along LPS.
    """
    folder = Path(folder)
    directions = np.diag((2.0, 2.0, 4.0)) if directions is None else np.asarray(directions, dtype=float)
    rng = np.random.default_rng(7)
    spacing = np.linalg.norm(directions, axis=0)
    k, j, i = (np.arange(n) for n in shape)
    # Millimetres from the middle of the volume along its own axes.
    z, y, x = np.meshgrid(
        (k - shape[0] / 2) * spacing[2], (j - shape[1] / 2) * spacing[1], (i - shape[2] / 2) * spacing[0], indexing="ij"
    )

    def ellipsoid(cx, cy, cz, rx, ry, rz):
        return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2

    noise = rng.normal(0, 9, shape)
    ct = np.full(shape, -1000.0)
    ct[ellipsoid(0, 0, 0, 138, 98, 400) < 1] = -100
    ct[ellipsoid(0, 0, 0, 122, 84, 400) < 1] = 45
    ct[ellipsoid(0, 55, 0, 18, 18, 400) < 1] = 260
    ct[ellipsoid(8, 22, 0, 10, 10, 400) < 1] = 160
    liver = ellipsoid(-55, -12, 0, 62, 58, 55) < 1
    ct[liver] = 105
    distance = ellipsoid(-60, -20, 0, 24, 21, 22)
    lesion = distance < 1
    ct[lesion] = 140
    ct[distance < 0.15] = 60
    pre = np.where(ct > -900, ct + noise, ct).round().astype(np.int16)

    centre = np.asarray(origin) + directions @ (
        np.array([shape[2], shape[1], shape[0]]) / 2 + np.array([-60, -20, 0]) / spacing
    )
    (folder / "protocols").mkdir(parents=True)
    write_nrrd(folder / "pre_ct.nrrd", pre, directions, origin)
    write_nrrd(folder / "lesion.nrrd", lesion.astype(np.uint8), directions, origin)

    rows = []
    for rank, (name, text, coverage) in enumerate(PROTOCOLS, start=1):
        oil = lesion & (distance < coverage) & (rng.random(shape) < 0.97)
        necrosis = lesion & ~oil & (x < -55)
        tissue = liver * 1
        tissue[lesion] = 2
        tissue[necrosis] = 3
        tissue[oil] = 4
        post = pre.astype(np.int32)
        post[oil] = 420 + rng.normal(0, 60, shape)[oil]
        post[necrosis] -= 95
        target = folder / "protocols" / name
        target.mkdir()
        write_nrrd(target / "simulated_ct.nrrd", post.astype(np.int16), directions, origin)
        write_nrrd(target / "tissue.nrrd", tissue.astype(np.uint8), directions, origin)
        (target / "protocol.json").write_text(json.dumps({"text": text}), encoding="utf-8")
        viable = float((tissue == 2).sum() / lesion.sum())
        covered = float(oil.sum() / lesion.sum())
        values = (
            rank,
            text,
            round(rank - 2.2, 3),
            0.05,
            5,
            round(0.9 - 0.1 * rank, 3),
            120 - 10 * rank,
            -30.0,
            viable,
            covered,
            "PR",
        )
        rows.append([*values, "search", "", f"protocols/{name}"])
    rows.append([3, "Cisplatin 60 mg; Lipiodol 10 ml", 1.4, "", 1, 0.6, "inf", -5.0, 0.7, 0.3, "SD", "search", "", ""])
    with (folder / "ranking.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([COLUMNS.split(","), *rows])

    manifest = {
        "schema": "mewm-run/1",
        "status": "complete",
        "kind": "explore",
        "created": "2025-01-02T03:04:05+00:00",
        "case_name": "phantom",
        "synthetic_notice": NOTICE,
        "seed": 1,
        "lesion": {
            "volume_ml": float(lesion.sum() * abs(np.linalg.det(directions)) / 1000),
            "centre_lps": [float(value) for value in centre],
            "diameter_mm": 48.0,
        },
        "protocols": [
            {"rank": rank, "folder": f"protocols/{name}", "text": text}
            for rank, (name, text, _) in enumerate(PROTOCOLS, start=1)
        ],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return manifest
