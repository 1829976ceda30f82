"""Every published figure that a cohort is held against, with its source and the range it should lie in.

Shares are percent. A range is the aim of the calibration; where a source gives no spread it is the figure and a margin
that says how exact a simulated world needs to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COLLECTION = "HCC-TACE-Seg, Moawad et al. 2021, doi 10.7937/TCIA.5FNA-0924"
TABLE = f"79 of 105 rows of the clinical table V2, {COLLECTION}"
REVIEW = "10,108 patients, Lencioni et al., Hepatology 2016, PMID 26765068"
SINGLE = "single nodules, Terzi et al., BMC Cancer 2014 14:601"
OIL_AND_NECROSIS = "51 lesions, CVIR 2015, doi 10.1007/s00270-015-1129-9"
PERFUSION = "Yang et al., JVIR 2010 21:1841"
RETENTION = "day 1, JVIR 2013, doi 10.1016/j.jvir.2013.08.017"
HISTOLOGY = "24 lesions at histopathology, CVIR 1993 16:209, doi 10.1007/BF02602962"
CLASSES = "classes of Cancer Imaging 2016, doi 10.1186/s40644-016-0090-4"
SHUNTS = "WJG 2004 10:825; KJR 2007, doi 10.3348/kjr.2007.8.4.311"
REAL_CT = "CRLM-CT-1006 115 HU, doi 10.7937/QXK2-QG03; LiTS 117 118 HU"
TEXTS = "standard texts"
USUAL = "usual range at 120 kVp, assumption"
ACTIONS = "154 action texts, Yang et al. 2025, arXiv 2506.02327, public code"

Range = tuple[float, float]


@dataclass(frozen=True)
class Published:
    """One figure from the literature.

    Attributes:
        value: the figure, ``None`` where the source only says which way.
        text: how a table prints it.
        source: where it is from.
        target: where a simulated cohort should lie; ``None`` where it is only compared.
    """

    value: float | None
    text: str
    source: str
    target: Range | None = None


def _share(count: int, of: int, margin: float | None, source: str) -> Published:
    value = 100 * count / of
    target = None if margin is None else (max(value - margin, 0.0), min(value + margin, 100.0))
    return Published(value, f"{value:.0f} % ({count} of {of})", source, target)


SURVIVAL: Mapping[str, Published] = {
    "median_os_weeks": Published(104.0, "104 weeks", COLLECTION, (95.0, 113.0)),
    "km_median_weeks": Published(104.0, "104 weeks", COLLECTION, (95.0, 113.0)),
    "event_percent": Published(100 * 93 / 105, "89 % (93 of 105)", COLLECTION, (85.0, 92.0)),
    "volume_os_spearman": Published(-0.17, "−0.15 to −0.19", COLLECTION, (-0.30, -0.10)),
    "alive_1y_percent": Published(70.0, "70 %", REVIEW, (60.0, 80.0)),
    "alive_2y_percent": Published(52.0, "52 %", REVIEW, (42.0, 62.0)),
    "alive_3y_percent": Published(40.0, "40 %", REVIEW, (20.0, 50.0)),
    "alive_5y_percent": Published(32.0, "32 %", REVIEW),
    "median_os_cr_weeks": Published(123.0, "123 weeks (16 patients)", TABLE),
    "median_os_pr_weeks": Published(90.9, "91 weeks (29 patients)", TABLE),
    "median_os_sd_weeks": Published(76.1, "76 weeks (23 patients)", TABLE),
    "median_os_pd_weeks": Published(35.7, "36 weeks (5 patients)", TABLE),
}
RESPONSE: Mapping[str, Published] = {
    "cr_percent": _share(21, 96, 5.0, COLLECTION),
    "pr_percent": _share(40, 96, 5.0, COLLECTION),
    "sd_percent": _share(29, 96, 5.0, COLLECTION),
    "pd_percent": _share(6, 96, 5.0, COLLECTION),
    "objective_response_percent": Published(52.5, "52.5 % (64 % in HCC-TACE-Seg)", REVIEW, (47.5, 68.5)),
    "single_nodule_cr_percent": Published(64.0, "64 %", SINGLE),
    "single_nodule_pr_percent": Published(26.0, "26 %", SINGLE),
}
FACTS: Mapping[str, Published] = {
    "age_mean_years": Published(67.7, "67.7 ± 11.4 years", TABLE, (64.7, 70.7)),
    "male_percent": _share(52, 79, 10.0, TABLE),
    "child_pugh_a_percent": _share(65, 79, 10.0, TABLE),
    "child_pugh_b_percent": _share(13, 79, 10.0, TABLE),
    "ecog_0_percent": _share(38, 79, 10.0, TABLE),
    "afp_400_percent": _share(23, 79, 10.0, TABLE),
    "multinodular_percent": _share(43, 79, 10.0, TABLE),
    "portal_vein_thrombosis_percent": _share(13, 79, 10.0, TABLE),
    "extrahepatic_percent": _share(6, 79, 10.0, TABLE),
    "bclc_a_percent": _share(8, 79, 10.0, TABLE),
    "bclc_b_percent": _share(19, 79, 10.0, TABLE),
    "bclc_c_percent": _share(49, 79, 10.0, TABLE),
    "burden_over_half_percent": _share(15, 79, None, TABLE),
    "diameter_median_cm": Published(4.7, "4.7 cm (quartiles 2.8 and 7.1; 40 stated)", TABLE, (3.7, 5.7)),
}
DENSITY: Mapping[str, Published] = {
    "liver_portal_hu": Published(115.0, "115 and 118 HU", REAL_CT, (95.0, 125.0)),
    "liver_arterial_hu": Published(None, "60–90 HU", USUAL, (60.0, 90.0)),
    "liver_noise_hu": Published(11.5, "9.5–13.5 HU in 20 mm patches", REAL_CT, (7.0, 15.0)),
    "viable_portal_hu": Published(None, "70–115 HU", USUAL, (70.0, 115.0)),
    "viable_arterial_hu": Published(None, "85–160 HU", USUAL, (85.0, 160.0)),
    "washout_percent": Published(76.0, "76 % darker than liver in the portal phase", "AJR 2004 182:643", (66.0, 86.0)),
    "hypervascular_percent": Published(91.0, "86–96 %", "AJR 2004 182:643", (86.0, 96.0)),
    "necrosis_hu": Published(None, "20–45 HU", TEXTS, (20.0, 45.0)),
    "oil_hu": Published(None, "above 200 HU where oil is dense", HISTOLOGY, (200.0, 1200.0)),
    "lesion_to_liver_after_hu": Published(283.0, "283 ± 152 HU on day 1", RETENTION, (131.0, 435.0)),
}
RELATIONS: Mapping[str, Published] = {
    "oil_necrosis_volume_r2": Published(0.96, "0.96", OIL_AND_NECROSIS, (0.90, 1.0)),
    "oil_necrosis_percent_r2": Published(0.98, "0.98", OIL_AND_NECROSIS, (0.80, 1.0)),
    "coverage_response_spearman": Published(0.84, "0.84", OIL_AND_NECROSIS, (0.70, 0.95)),
    "perfusion_deposition_r": Published(0.77, "0.77 (perfusion against deposition grade)", PERFUSION, (0.60, 0.90)),
    "coverage_mean_percent": Published(72.0, "72 ± 23 % of the tumour on day 1", RETENTION, (49.0, 95.0)),
    "coverage_sd_percent": Published(23.0, "23 %", RETENTION),
    "dense_if_massive_percent": _share(8, 9, 15.0, HISTOLOGY),
    "dense_if_not_massive_percent": _share(4, 15, 20.0, HISTOLOGY),
    "complete_retention_percent": Published(None, "over 90 % of the tumour; share not stated", CLASSES),
    "moderate_retention_percent": Published(None, "50–90 %; share not stated", CLASSES),
    "poor_retention_percent": Published(None, "under 50 %; share not stated", CLASSES),
    "shunt_percent": Published(None, "mentioned in 9 of 154 action texts (6 %)", ACTIONS),
    "coverage_shunt_difference_percent": Published(None, "oil is lost through a shunt: below 0", SHUNTS, (-100.0, 0.0)),
}
NOT_REALISTIC = (
    "The follow-up CT is a second scan of the same anatomy with noise of its own, but in the same breath hold and "
    "table position (on real backgrounds also the same noise). Real pairs are misaligned by millimetres and differ in "
    "phase, dose and reconstruction.",
    "Both CTs have the same contrast phase; the published densities of oil are from unenhanced CT.",
    "Organs are smooth shapes. There are no clips, stents, ascites, biliary dilatation, motion, streaks beside dense "
    "oil, or earlier treatments.",
    "One target lesion is drawn. Other lesions exist only as numbers in the table.",
    "The doses and embolics are drawn from habits in two series that treat differently (China and the United States); "
    "no real hospital has this mixture.",
    "Clinical facts have the right marginals, but only those dependences that docs/cohort.md names.",
    "Survival follows one proportional hazard with a Weibull baseline; later treatments, transplantation and liver "
    "failure are not modelled, so the tail of the curve is not real.",
    "A relation with a published figure was measured on patients chosen for it. The same figure here is a check of "
    "plausibility, not a reproduction of that study.",
)
AGENT_TEXTS = 154
AGENTS: Mapping[str, tuple[int, int]] = {
    "lipiodol": (151, 55),
    "gelatin_sponge": (95, 0),
    "raltitrexed": (81, 0),
    "lobaplatin": (60, 0),
    "oxaliplatin": (25, 0),
    "epirubicin": (19, 0),
    "pva": (18, 0),
    "absolute_alcohol": (15, 0),
    "nedaplatin": (10, 0),
    "pirarubicin": (9, 0),
    "cisplatin": (6, 55),
    "idarubicin": (6, 0),
    "hydroxycamptothecin": (2, 0),
    "nbca": (2, 0),
    "embosphere": (2, 0),
    "doxorubicin_eluting_beads": (1, 33),
    "mitomycin": (1, 54),
    "doxorubicin": (0, 52),
}
"""Agent → texts of 154 (Yang et al. 2025) and patients of 88 with stated agents (HCC-TACE-Seg; Lipiodol with free drugs
assumed)."""
AGENT_PATIENTS = 88
AGENT_TOLERANCE = 10.0
"""Points by which an agent's share may differ from that of both series together."""
