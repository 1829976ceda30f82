"""Clinical facts of a patient, all optional."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClinicalFacts:
    """What the clinic knows beside the CT. ``None`` means not stated.

    Attributes:
        age: years.
        sex: ``"male"`` or ``"female"``.
        child_pugh: class and points, e.g. ``"A5"``, ``"B8"``; a class alone (``"B"``) is accepted.
        albumin_g_dl, bilirubin_mg_dl, creatinine_mg_dl, afp_ng_ml: laboratory values.
        bclc: ``"0"``, ``"A"``, ``"B"``, ``"C"`` or ``"D"``.
        ecog: performance status 0–4.
        portal_vein_thrombosis: ``"none"``, ``"branch"``, ``"main"`` (with collaterals) or
            ``"main_without_collaterals"``.
        arteriovenous_shunt: ``"none"``, ``"mild"`` or ``"severe"``.
        tumour_number: count of lesions.
        ascites: ``"none"``, ``"mild"`` or ``"refractory"``.
        encephalopathy, jaundice, hepatorenal_syndrome, extrahepatic_spread, bile_duct_obstruction,
        untreated_varices: yes or no.
        tumour_burden_percent: share of the liver that is tumour.
        allergies: agent identifiers or names in the action base.
    """

    age: float | None = None
    sex: str | None = None
    child_pugh: str | None = None
    albumin_g_dl: float | None = None
    bilirubin_mg_dl: float | None = None
    creatinine_mg_dl: float | None = None
    afp_ng_ml: float | None = None
    bclc: str | None = None
    ecog: int | None = None
    portal_vein_thrombosis: str | None = None
    arteriovenous_shunt: str | None = None
    tumour_number: int | None = None
    ascites: str | None = None
    encephalopathy: bool | None = None
    jaundice: bool | None = None
    hepatorenal_syndrome: bool | None = None
    extrahepatic_spread: bool | None = None
    bile_duct_obstruction: bool | None = None
    untreated_varices: bool | None = None
    tumour_burden_percent: float | None = None
    allergies: tuple[str, ...] = ()
