"""Simulate a cohort: cases in parallel, each written at once, the same whatever the number of processes."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Callable
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

import mewm
from mewm.actions.protocol import Protocol
from mewm.actions.text import render_protocol
from mewm.clinical import ClinicalFacts
from mewm.cohort.anatomy import Abdomen
from mewm.cohort.background import Scan, find_scans, fingerprints
from mewm.cohort.background_paint import paint_on_background
from mewm.cohort.dataset import COLUMNS, FACTS, SCHEMA, read_info, write_image, write_table
from mewm.cohort.fields import PLANE_MM, blur_sigma, scanner_blur, scanner_noise
from mewm.cohort.hazards import admissible, best_of, expected_log_hazards, write_hazards
from mewm.cohort.lesion import LesionPhenotype, draw_phenotype, paint_lesion, place_lesion
from mewm.cohort.outcome import draw_new_lesion, draw_survival, log_hazard
from mewm.cohort.painting import paint_abdomen
from mewm.cohort.parameters import CohortParameters
from mewm.cohort.patient import draw_patient, forget, pick
from mewm.cohort.shapes import Grid
from mewm.cohort.treatment import draw_treatment
from mewm.cohort.truth import FollowUpScan, TrueFuture, draw_sensitivities, true_future
from mewm.dynamics.appearance import SCANNER_MAX_HU
from mewm.dynamics.sensitivities import Sensitivities
from mewm.errors import InputError
from mewm.explore.settings import ExploreSettings
from mewm.measure import measure
from mewm.pool import case_pool
from mewm.roi import COARSEST_MM, FINEST_MM, GRID, LOWEST_HU, MARGIN_MM, Roi, feather

NOTICE = "Simulated patients: every image, fact and outcome is generated. Not for clinical use."
NOTICE_ON_SCANS = (
    "Simulated patients on real CTs: lesion, treatment, facts and outcome are generated. Not for clinical use. The "
    "licence of the CTs holds for these images too."
)
_STREAMS = ("anatomy", "lesion", "patient", "treatment", "truth", "outcome", "split", "progression")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Patient:
    """A simulated patient before treatment.

    Attributes:
        index: number of the case in its cohort.
        phase: contrast phase of the CT.
        phenotype: the target lesion.
        roi: CT, lesion, liver and the facts as recorded.
        facts: what is true of the patient.
        sensitivities: the lesion's hidden answer to treatment.
        luck: seed of the chance in this patient's future.
        follow_up: the scan at follow-up, treatment apart; ``None`` on a real CT, of which there is one scan only.
    """

    index: int
    phase: str
    phenotype: LesionPhenotype
    roi: Roi
    facts: ClinicalFacts
    sensitivities: Sensitivities
    luck: int
    follow_up: FollowUpScan | None = None


def simulate_patient(
    seed: int, index: int, parameters: CohortParameters | None = None, scans: tuple[Scan, ...] = ()
) -> Patient:
    """Simulate the patient of one case; depends on nothing but its arguments.

    Args:
        seed: seed of the cohort.
        index: number of the case.
        parameters: constants of the world.
        scans: real CTs to paint the lesion into; drawn anatomy without any.

    Raises:
        InputError: a scan cannot be used.
    """
    p = parameters or CohortParameters()
    rng = _generators(seed, index)
    follow_up = None
    if scans:
        phenotype = draw_phenotype(rng["lesion"], p.lesion)
        spacing = _grid_spacing(phenotype)
        scene = paint_on_background(scans, phenotype, spacing, GRID, rng["anatomy"], rng["lesion"], p)
        phase, grid, ct, lesion, liver = scene.phase, scene.grid, scene.ct, scene.lesion, scene.liver
    else:
        phase = "portal" if rng["anatomy"].random() < p.anatomy.portal_share else "arterial"
        abdomen = Abdomen(rng["anatomy"], p.anatomy, phase, rng["anatomy"].random() < p.patient.cirrhosis)
        phenotype = draw_phenotype(rng["lesion"], p.lesion)
        centre = place_lesion(rng["lesion"], abdomen, phenotype)
        spacing = _grid_spacing(phenotype)
        corner = [round(float(c - spacing * (GRID - 1) / 2), 3) for c in centre]
        grid = Grid((corner[0], corner[1], corner[2]), spacing, GRID)
        ct, liver_distance = paint_abdomen(abdomen, grid, rng["anatomy"])
        lesion, liver = paint_lesion(ct, liver_distance, abdomen, phenotype, centre, grid, p.lesion, rng["lesion"])
        slice_mm = float(rng["anatomy"].choice(p.anatomy.slice_mm))
        noise_sd = float(rng["anatomy"].uniform(*p.anatomy.noise_sd_hu))
        still = scanner_blur(ct, spacing, slice_mm)
        first, second = (scanner_noise(rng["anatomy"], grid.shape, spacing, noise_sd, slice_mm) for _ in range(2))
        ct = still + first
        follow_up = FollowUpScan(still, second, (blur_sigma(slice_mm), PLANE_MM, PLANE_MM))
    lesion_ml = float(lesion.sum()) * spacing**3 / 1000
    facts = draw_patient(rng["patient"], phenotype, lesion_ml, p.patient)
    roi = Roi(
        ct=np.clip(np.rint(ct), LOWEST_HU, SCANNER_MAX_HU).astype(np.float32),
        lesion=lesion,
        liver=liver | lesion,
        inside=np.ones(grid.shape, dtype=bool),
        feather=feather(lesion, spacing),
        spacing=spacing,
        origin=grid.origin,
        facts=forget(rng["patient"], facts, p.patient),
    )
    sensitivities = draw_sensitivities(rng["truth"], phenotype, p.truth)
    return Patient(index, phase, phenotype, roi, facts, sensitivities, int(rng["truth"].integers(2**31)), follow_up)


def _grid_spacing(phenotype: LesionPhenotype) -> float:
    extent = 2.2 * max(phenotype.semi_mm)
    return round(float(np.clip((extent + 2 * MARGIN_MM) / GRID, FINEST_MM, COARSEST_MM)), 3)


def treat(patient: Patient, protocol: Protocol, parameters: CohortParameters) -> tuple[TrueFuture, float]:
    """Return what a protocol truly does to a patient and the patient's log-hazard after it, new lesions apart."""
    roi = patient.roi
    future = true_future(roi, protocol, patient.sensitivities, patient.luck, patient.follow_up)
    lesion_ml = float(np.count_nonzero(roi.lesion)) * roi.spacing**3 / 1000
    return future, log_hazard(future.surviving_ml, lesion_ml, protocol, patient.facts, parameters.outcome)


def simulate_cohort(
    out: Path,
    cases: int,
    seed: int,
    workers: int | None = None,
    progress: Progress | None = None,
    parameters: CohortParameters | None = None,
    backgrounds: Path | None = None,
) -> Path:
    """Write a simulated cohort, or finish or extend one of the same seed.

    Args:
        out: dataset folder (layout in docs/cohort.md); empty, new, or holding this cohort's first cases.
        cases: how many cases.
        seed: seed of the cohort; case ``i`` depends on it and ``i`` only.
        workers: processes; ``None`` for one a core, 1 for none beside this one.
        progress: called with cases done and cases in all.
        parameters: constants of the world.
        backgrounds: folder of real CTs with liver masks (:mod:`mewm.cohort.background`); drawn anatomy without it.

    Returns:
        ``out``.

    Raises:
        InputError: a bad argument, another cohort in ``out``, or a folder that cannot be written.
    """
    p = parameters or CohortParameters()
    if cases < 1:
        raise InputError(f"A cohort of {cases} cases cannot be simulated; ask for at least 1.")
    if seed < 0:
        raise InputError(f"The seed {seed} is negative; choose 0 or more.")
    if workers is not None and workers < 1:
        raise InputError(f"{workers} processes cannot simulate anything; ask for at least 1.")
    out = Path(out)
    scans = () if backgrounds is None else find_scans(backgrounds)
    try:
        _prepare(out, cases, seed, p, scans)
        _write_missing(out, cases, seed, workers or os.cpu_count() or 1, progress, p, scans)
        _collect(out, cases)
        _write_info(out, cases, seed, p, scans, "complete")
    except OSError as error:
        raise InputError(
            f"The cohort cannot be written to {out} ({error.strerror or error}); free space or choose another folder."
        ) from error
    return out


def write_case(out: Path, seed: int, index: int, parameters: CohortParameters, scans: tuple[Scan, ...] = ()) -> None:
    """Simulate one case and write its folder at once."""
    patient = simulate_patient(seed, index, parameters, scans)
    rng = _generators(seed, index)
    roi, phenotype = patient.roi, patient.phenotype
    protocol = draw_treatment(rng["treatment"], roi.facts, phenotype.diameter_mm, parameters.treatment)
    future, hazard = treat(patient, protocol, parameters)
    measured = measure(roi, future.tissue)
    choices = admissible(roi, ExploreSettings())
    hazards = expected_log_hazards(roi, (*choices, protocol), patient.sensitivities, patient.facts, parameters.outcome)
    best = best_of(hazards, choices)
    new_lesion = draw_new_lesion(rng["progression"], patient.facts, parameters.outcome)
    hazard += parameters.outcome.new_lesion * new_lesion
    weeks, died, death_weeks = draw_survival(rng["outcome"], hazard, parameters.outcome)
    low, middle, high = parameters.outcome.follow_up_weeks
    follow_up = float(np.clip(middle * np.exp(rng["outcome"].normal(0, 0.5)), low, high))
    row = {
        "case_id": _name(index),
        "split": pick(rng["split"], parameters.split_shares),
        "phase": patient.phase,
        "spacing_mm": roi.spacing,
        "lesion_ml": measured.baseline_ml,
        "lesion_diameter_mm": phenotype.diameter_mm,
        **{name: getattr(roi.facts, name) for name in FACTS},
        "protocol": render_protocol(protocol),
        "follow_up_weeks": round(follow_up, 1),
        "mrecist": "PD" if new_lesion else measured.response,
        "new_lesion": new_lesion,
        "os_weeks": round(weeks, 2),
        "event": int(died),
    }
    truth = {
        "case_id": _name(index),
        **{f"phenotype_{k}": v for k, v in asdict(phenotype).items() if k != "semi_mm"},
        **{f"sensitivity_{k}": v for k, v in patient.sensitivities.drug_class.items()},
        **{f"sensitivity_{k}": v for k, v in patient.sensitivities.embolic.items()},
        "oil_retention": patient.sensitivities.retention,
        "growth": patient.sensitivities.growth,
        "viable_ml": measured.viable_ml,
        "necrosis_ml": measured.necrosis_ml,
        "lipiodol_ml": measured.lipiodol_ml,
        "surviving_ml": future.surviving_ml,
        "target_response": measured.response,
        "log_hazard": hazard,
        "treated_log_hazard": hazards[protocol.key],
        "best_log_hazard": hazards[best.key],
        "best_protocol": render_protocol(best),
        "admissible_protocols": len(choices),
        "death_weeks": death_weeks,
    }
    images: dict[str, np.ndarray] = {
        "pre_ct": roi.ct.astype(np.int16),
        "post_ct": np.clip(np.rint(future.ct), LOWEST_HU, SCANNER_MAX_HU).astype(np.int16),
        "lesion": roi.lesion.astype(np.uint8),
        "liver": roi.liver.astype(np.uint8),
        "tissue": future.tissue.astype(np.uint8),
    }
    final = out / "cases" / _name(index)
    partial = final.with_name(f".{_name(index)}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name, array in images.items():
        write_image(array, roi.spacing, roi.origin, partial / f"{name}.nrrd")
    facts = {k: v for k, v in asdict(patient.facts).items() if v not in (None, ())}
    for name, content in (("case", row), ("truth", {**truth, "facts": facts})):
        (partial / f"{name}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    write_hazards(hazards, choices, partial / "hazards.csv")
    partial.rename(final)


def _generators(seed: int, index: int) -> dict[str, np.random.Generator]:
    """One independent generator a stream, so that a change in one part of the story leaves the others alone."""
    return {
        name: np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(index, k))))
        for k, name in enumerate(_STREAMS)
    }


def _name(index: int) -> str:
    return f"case_{index:05d}"


def _prepare(out: Path, cases: int, seed: int, parameters: CohortParameters, scans: tuple[Scan, ...]) -> None:
    """Make the folder, or check that what it holds is the beginning of this cohort."""
    if (out / "cohort.json").exists():
        info = read_info(out)
        wanted = _info(cases, seed, parameters, scans, "incomplete")
        for key in ("kind", "seed", "parameters", "mewm", "backgrounds"):
            if info.get(key) != wanted.get(key):
                raise InputError(
                    f"{out} holds a cohort with another {'MeWM version' if key == 'mewm' else key}; "
                    "choose an empty folder."
                )
        cases = max(cases, int(info["cases"]))
    elif out.exists() and any(out.iterdir()):
        raise InputError(f"The folder {out} is not empty and holds no cohort; choose an empty folder.")
    (out / "cases").mkdir(parents=True, exist_ok=True)
    _write_info(out, cases, seed, parameters, scans, "incomplete")


def _write_missing(
    out: Path,
    cases: int,
    seed: int,
    workers: int,
    progress: Progress | None,
    parameters: CohortParameters,
    scans: tuple[Scan, ...],
) -> None:
    missing = [i for i in range(cases) if not (out / "cases" / _name(i)).is_dir()]
    done = cases - len(missing)
    report = progress or (lambda done, total: None)
    report(done, cases)
    if min(workers, len(missing)) <= 1:
        for index in missing:
            write_case(out, seed, index, parameters, scans)
            report(done := done + 1, cases)
        return
    with case_pool(min(workers, len(missing))) as pool:
        futures = [pool.submit(write_case, out, seed, index, parameters, scans) for index in missing]
        for future in as_completed(futures):
            future.result()
            report(done := done + 1, cases)


def _collect(out: Path, cases: int) -> None:
    """Write the two tables from the cases' own files."""
    folders = [out / "cases" / _name(i) for i in range(cases)]
    rows, truths = (
        [json.loads((f / f"{name}.json").read_text(encoding="utf-8")) for f in folders] for name in ("case", "truth")
    )
    write_table(out / "cases.csv", {**COLUMNS, "new_lesion": bool}, rows)
    for truth in truths:
        truth.update({f"true_{k}": v for k, v in truth.pop("facts").items()})
    columns = list(dict.fromkeys(name for truth in truths for name in truth))
    write_table(out / "truth.csv", columns, truths)


def _info(cases: int, seed: int, parameters: CohortParameters, scans: tuple[Scan, ...], status: str) -> dict[str, Any]:
    # A round trip through JSON, so that what was read compares equal with what is written.
    return json.loads(
        json.dumps(
            {
                "schema": SCHEMA,
                "status": status,
                "kind": "simulated",
                "notice": NOTICE_ON_SCANS if scans else NOTICE,
                "seed": seed,
                "cases": cases,
                "mewm": mewm.__version__,
                "versions": {
                    "python": platform.python_version(),
                    "numpy": np.__version__,
                    "simpleitk": sitk.Version.VersionString(),
                },
                "parameters": asdict(parameters),
                **({"backgrounds": fingerprints(scans)} if scans else {}),
            }
        )
    )


def _write_info(
    out: Path, cases: int, seed: int, parameters: CohortParameters, scans: tuple[Scan, ...], status: str
) -> None:
    partial = out / "cohort.partial"
    content = json.dumps(_info(cases, seed, parameters, scans, status), indent=1)
    partial.write_text(content + "\n", encoding="utf-8")
    partial.replace(out / "cohort.json")
