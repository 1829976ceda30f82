"""Every constant of the simulated cohort in one place, each with its source or the word "assumption"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

TABLE = (
    "marginals of the 79 (of 105) patients of TCIA HCC-TACE-Seg clinical table V2, "
    "Moawad et al. 2021, doi 10.7937/TCIA.5FNA-0924"
)
ACTIONS = "frequencies in 154 TACE action texts, Yang et al. 2025, arXiv 2506.02327, public code"
ASSUMPTION = "assumption"


def _constant(value: Any, source: str) -> Any:
    """A dataclass field with its default and where the figure comes from."""
    return field(default_factory=lambda: value, metadata={"source": source})


@dataclass(frozen=True)
class AnatomyParameters:
    """Build of the patient, enhancement and scanner; HU as (mean, standard deviation) over patients."""

    portal_share: float = _constant(0.6, ASSUMPTION)
    hu: Mapping[str, Mapping[str, tuple[float, float]]] = _constant(
        {
            "portal": {
                "liver": (107, 9),
                "portal_vein": (165, 14),
                "hepatic_vein": (158, 14),
                "hepatic_artery": (150, 12),
                "aorta": (152, 14),
                "cava": (140, 14),
                "heart": (135, 10),
                "spleen": (120, 9),
                "kidney_cortex": (185, 15),
                "kidney_medulla": (165, 15),
                "pancreas": (95, 9),
                "muscle": (62, 4),
                "fat": (-104, 5),
                "bile": (9, 4),
                "cortex": (620, 90),
                "marrow": (190, 45),
            },
            "arterial": {
                "liver": (76, 7),
                "portal_vein": (112, 18),
                "hepatic_vein": (74, 8),
                "hepatic_artery": (235, 30),
                "aorta": (305, 35),
                "cava": (95, 15),
                "heart": (200, 30),
                "spleen": (125, 14),
                "kidney_cortex": (200, 20),
                "kidney_medulla": (85, 12),
                "pancreas": (108, 10),
                "muscle": (58, 4),
                "fat": (-104, 5),
                "bile": (9, 4),
                "cortex": (600, 90),
                "marrow": (175, 45),
            },
        },
        "liver 115 HU portal-venous measured in TCIA Colorectal-Liver-Metastases CRLM-CT-1006 and 118 HU in "
        "LiTS 117; late arterial liver, vessels and organs: usual ranges of 120 kVp CT, assumption",
    )
    subcutaneous_fat_mm: tuple[float, float] = _constant((7, 26), ASSUMPTION)
    body_wall_mm: tuple[float, float] = _constant((10, 15), ASSUMPTION)
    liver_texture_hu: float = _constant(2.5, "low-frequency variation of liver in CRLM-CT-1006")
    vessel_terminals: int = _constant(260, ASSUMPTION)
    vessel_trunk_radius_mm: float = _constant(5.6, "main portal vein 11-13 mm wide, standard texts")
    artery_radius_share: float = _constant(0.28, ASSUMPTION)
    noise_sd_hu: tuple[float, float] = _constant((9.0, 15.0), "liver in CRLM-CT-1006: 9.5-13.5 HU in 20 mm patches")
    slice_mm: tuple[float, ...] = _constant((1.25, 2.5, 2.5, 5.0), "usual abdominal reconstructions")


@dataclass(frozen=True)
class LesionParameters:
    """Visible phenotype of the target lesion and the attenuation of its parts."""

    log_diameter_cm: tuple[float, float] = _constant(
        (1.49, 0.73), f"mean and SD of the logarithm of Tr_Size in cm (40 stated), {TABLE}"
    )
    diameter_cm_range: tuple[float, float] = _constant(
        (1.0, 13.0), "cut at what is visible as a target and at what fits 96 voxels of 2 mm with a margin"
    )
    axis_ratio: tuple[float, float] = _constant((0.74, 1.0), ASSUMPTION)
    vascularity_beta: tuple[float, float] = _constant(
        (4.0, 2.2), "hypervascular component in 86-96 % of HCC, AJR 2004 182:643: about 93 % above 0.35"
    )
    mosaic_share: float = _constant(0.75, "mosaic in 63-86 % of HCC, AJR 2004 182:643")
    capsule_share: float = _constant(0.5, ASSUMPTION)
    necrosis_logit: tuple[float, float] = _constant((-0.7, 1.4), ASSUMPTION)
    any_shunt_share: float = _constant(0.14, ASSUMPTION)
    severe_shunt_share: float = _constant(0.05, ASSUMPTION)
    unenhanced_hu: float = _constant(45.0, "unenhanced soft tissue, standard texts")
    arterial_gain_hu: float = _constant(
        114.0, "calibrated to 86-96 % of HCC brighter than liver in the arterial phase, AJR 2004 182:643"
    )
    washout_hu: tuple[float, float] = _constant(
        (14.0, 13.0), "objective portal washout in 76 % of HCC, AJR 2004 182:643: 76 % darker than liver by > 5 HU"
    )
    least_contrast_hu: float = _constant(7.0, ASSUMPTION)
    washout_by_vascularity: float = _constant(18.0, ASSUMPTION)
    mosaic_hu: float = _constant(15.0, ASSUMPTION)
    necrosis_hu: tuple[float, float] = _constant((29.0, 4.0), "non-enhancing necrosis 20-45 HU, standard texts")
    necrosis_uneven_hu: float = _constant(4.0, f"variation within a core: {ASSUMPTION}")
    capsule_hu: float = _constant(24.0, ASSUMPTION)


@dataclass(frozen=True)
class PatientParameters:
    """Clinical facts; each is drawn by its marginal, with the dependences that the docstrings name."""

    age: tuple[float, float] = _constant((67.7, 11.4), f"mean and SD, {TABLE}")
    age_range: tuple[float, float] = _constant((31, 93), f"smallest and largest, {TABLE}")
    male: float = _constant(52 / 79, TABLE)
    child_pugh: Mapping[str, float] = _constant({"A": 65 / 79, "B": 13 / 79, "C": 1 / 79}, f"Child-Pugh class, {TABLE}")
    child_pugh_points: Mapping[str, Mapping[int, float]] = _constant(
        {"A": {5: 0.65, 6: 0.35}, "B": {7: 0.6, 8: 0.25, 9: 0.15}, "C": {10: 1.0}}, ASSUMPTION
    )
    albumin_g_dl: tuple[float, float, float] = _constant(
        (4.1, -0.22, 0.25), f"level at 5 Child-Pugh points, slope a point, SD: {ASSUMPTION}"
    )
    log_bilirubin_mg_dl: tuple[float, float, float] = _constant(
        (-0.45, 0.28, 0.30), f"level at 5 Child-Pugh points, slope a point, SD: {ASSUMPTION}"
    )
    log_creatinine_mg_dl: tuple[float, float] = _constant((-0.10, 0.24), ASSUMPTION)
    log_afp_ng_ml: tuple[float, float] = _constant((4.27, 3.12), f"mean and SD of the logarithm, {TABLE}")
    afp_range: tuple[float, float] = _constant((1.0, 6e5), TABLE)
    ecog: Mapping[int, float] = _constant(
        {0: 38 / 79, 1: 29 / 79, 2: 10 / 79, 3: 2 / 79}, f"groups 0, 1-2, 3-4: {TABLE}; split of 1-2: assumption"
    )
    portal_vein_thrombosis: float = _constant(13 / 79, TABLE)
    main_portal_share: float = _constant(0.25, f"of those with thrombosis: {ASSUMPTION}")
    thrombosis_by_size: float = _constant(0.6, f"log-odds a unit of log diameter: {ASSUMPTION}")
    multinodular: float = _constant(43 / 79, TABLE)
    nodules_stop: float = _constant(0.45, f"geometric number of nodules beyond two: {ASSUMPTION}")
    extrahepatic_spread: float = _constant(6 / 79, f"metastasis, {TABLE}")
    untreated_varices: float = _constant(0.06, ASSUMPTION)
    liver_ml: tuple[float, float] = _constant((1600, 220), "adult liver, standard texts")
    cirrhosis: float = _constant(57 / 79, TABLE)
    not_stated: float = _constant(0.04, f"chance that the clinic misses a fact: {ASSUMPTION}")


@dataclass(frozen=True)
class TreatmentParameters:
    """Habits of the clinician who treated the simulated patients."""

    drugs: Mapping[str, int] = _constant(
        {
            "raltitrexed": 81,
            "lobaplatin": 60,
            "oxaliplatin": 25,
            "epirubicin": 19,
            "nedaplatin": 10,
            "pirarubicin": 9,
            "cisplatin": 6 + 55,
            "idarubicin": 6,
            "hydroxycamptothecin": 2,
            "mitomycin": 1 + 54,
            "doxorubicin": 52,
        },
        f"{ACTIONS}; cisplatin, mitomycin and doxorubicin also by the agents of 88 patients, "
        "Moawad et al. 2021, doi 10.7937/TCIA.5FNA-0924",
    )
    embolics: Mapping[str, int] = _constant(
        {"gelatin_sponge": 95, "pva": 18, "absolute_alcohol": 15, "nbca": 2, "embosphere": 2, "none": 34},
        f"{ACTIONS}; none: assumption",
    )
    beads: float = _constant(34 / 242, "drug-eluting beads in 1 of 154 action texts and 33 of 88 HCC-TACE-Seg patients")
    drug_count: Mapping[int, float] = _constant({1: 0.45, 2: 0.38, 3: 0.17}, ASSUMPTION)
    cautious_single_drug: float = _constant(0.35, f"a drug fewer from Child-Pugh B on: {ASSUMPTION}")
    dose_factor: Mapping[float, float] = _constant({0.67: 0.25, 1.0: 0.60, 1.33: 0.15}, ASSUMPTION)
    lipiodol_ml: Mapping[float, float] = _constant(
        {5.0: 0.15, 10.0: 0.60, 15.0: 0.15, 20.0: 0.10}, f"10 ml most often, {ACTIONS}; the rest: assumption"
    )
    lipiodol_by_size: float = _constant(
        0.4, "share of clinicians who give 1 ml a cm of diameter (CIRSE standards of practice): assumption"
    )


@dataclass(frozen=True)
class TruthParameters:
    """Hidden sensitivities: slope on the phenotype, spread in log between lesions of the same phenotype."""

    sensitivity_level: float = _constant(
        1.4, "mean sensitivity to drugs: calibrated to mRECIST CR 22, PR 42, SD 30 %, 10.7937/TCIA.5FNA-0924"
    )
    sensitivity_spread: float = _constant(0.3, "as sensitivity_level")
    embolic_spread: float = _constant(0.12, ASSUMPTION)
    retention: tuple[float, float] = _constant((0.0, 0.4), f"mean and SD of its logarithm: {ASSUMPTION}")
    growth: tuple[float, float] = _constant((0.6, 1.1), f"mean and SD of its logarithm: {ASSUMPTION}")
    sensitivity_range: tuple[float, float] = _constant((0.25, 2.6), ASSUMPTION)
    drug_slopes: Mapping[str, Mapping[str, float]] = _constant(
        {
            "anthracycline": {"vascularity": 1.2, "heterogeneity": -0.4},
            "platinum": {"vascularity": 0.3, "heterogeneity": 0.5},
            "antimetabolite": {"size": -0.4, "heterogeneity": -0.4},
            "mitomycin": {"vascularity": -0.6, "necrotic_fraction": 1.2},
            "topoisomerase-I": {"capsule": 0.4, "infiltration": 0.5},
        },
        f"anthracyclines need supply, mitomycin acts in hypoxia (Tannock & Rotin, Cancer Res 1989 49:4373); "
        f"the sizes: {ASSUMPTION}",
    )
    embolic_slopes: Mapping[str, Mapping[str, float]] = _constant(
        {
            "gelatin_sponge": {"size": -0.2},
            "pva": {"infiltration": 0.15},
            "absolute_alcohol": {"size": 0.15, "capsule": 0.1},
            "nbca": {"size": 0.15},
            "embosphere": {"infiltration": 0.1},
            "doxorubicin_eluting_beads": {"size": -0.2, "vascularity": 0.2},
        },
        ASSUMPTION,
    )


@dataclass(frozen=True)
class OutcomeParameters:
    """Log-hazard of death and the Weibull time to it."""

    viable: float = _constant(0.22, "a unit of log(1 + ml): calibrated to the volume-OS correlation")
    viable_share: float = _constant(
        1.4, f"a unit of viable over baseline volume: median OS 123, 91, 76 weeks after CR, PR, SD, {TABLE}"
    )
    treatment_load: float = _constant(0.25, f"a unit of load in a healthy liver: {ASSUMPTION}")
    load_by_impairment: float = _constant(0.45, f"a unit of load and of liver impairment: {ASSUMPTION}")
    impairment: float = _constant(0.45, f"log hazard ratio 0.8 of Child-Pugh B and C over A, {TABLE}")
    log_afp: float = _constant(0.06, f"a unit of log AFP: 0.03-0.1, {TABLE}")
    thrombosis: float = _constant(0.8, f"log hazard ratio 1.5 with standard error 0.4, shrunk, {TABLE}")
    multinodular: float = _constant(0.35, f"log hazard ratio 0.59, standard error 0.27, {TABLE}")
    ecog: float = _constant(0.2, f"a grade; log hazard ratio 0.32 of 1-2 over 0, {TABLE}")
    extrahepatic: float = _constant(0.4, ASSUMPTION)
    age_decade: float = _constant(0.1, f"log hazard ratio 0.22 a decade, standard error 0.12, shrunk, {TABLE}")
    new_lesion_odds: float = _constant(
        0.03, f"at the mean logarithm of AFP and a single nodule: calibrated to 6 % mRECIST PD, {TABLE}"
    )
    new_lesion_by_log_afp: float = _constant(0.12, f"log-odds a unit of log AFP: {ASSUMPTION}")
    new_lesion_if_multinodular: float = _constant(0.7, f"log-odds: {ASSUMPTION}")
    new_lesion: float = _constant(0.8, f"median OS 36 weeks after PD, {TABLE}; log-hazard, shrunk")
    weibull_shape: float = _constant(1.6, f"marginal shape 1.20 of OS ({TABLE}), steeper given the covariates")
    weibull_scale_weeks: float = _constant(535.0, "calibrated to a median OS of 104 weeks, 10.7937/TCIA.5FNA-0924")
    censoring_mean_weeks: float = _constant(1300.0, "calibrated to 93 deaths of 105, 10.7937/TCIA.5FNA-0924")
    follow_up_weeks: tuple[float, float, float] = _constant(
        (4.0, 9.0, 20.0), f"5th, 50th and 95th percentile of Interval_FU, {TABLE}"
    )


@dataclass(frozen=True)
class CohortParameters:
    """All constants of the cohort."""

    anatomy: AnatomyParameters = field(default_factory=AnatomyParameters)
    lesion: LesionParameters = field(default_factory=LesionParameters)
    patient: PatientParameters = field(default_factory=PatientParameters)
    treatment: TreatmentParameters = field(default_factory=TreatmentParameters)
    truth: TruthParameters = field(default_factory=TruthParameters)
    outcome: OutcomeParameters = field(default_factory=OutcomeParameters)
    split_shares: Mapping[str, float] = _constant({"train": 0.7, "val": 0.1, "test": 0.2}, ASSUMPTION)


def parameter_table(parameters: Any, prefix: str = "") -> list[tuple[str, Any, str]]:
    """Return every constant as (dotted name, value, source)."""
    rows: list[tuple[str, Any, str]] = []
    for item in fields(parameters):
        value, name = getattr(parameters, item.name), f"{prefix}{item.name}"
        if is_dataclass(value):
            rows += parameter_table(value, f"{name}.")
        else:
            rows.append((name, value, item.metadata["source"]))
    return rows
