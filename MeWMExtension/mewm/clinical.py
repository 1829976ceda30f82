"""Clinical facts of a patient, all optional."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mewm.errors import InputError


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


_CHOICES = {
    "sex": ("male", "female"),
    "bclc": ("0", "A", "B", "C", "D"),
    "portal_vein_thrombosis": ("none", "branch", "main", "main_without_collaterals"),
    "arteriovenous_shunt": ("none", "mild", "severe"),
    "ascites": ("none", "mild", "refractory"),
}
_FLAGS = (
    "encephalopathy",
    "jaundice",
    "hepatorenal_syndrome",
    "extrahepatic_spread",
    "bile_duct_obstruction",
    "untreated_varices",
)
# Smallest and largest value a patient can have, and what a value beyond usually means.
_RANGES: dict[str, tuple[float, float, str]] = {
    "age": (0, 120, "give years"),
    "albumin_g_dl": (0.5, 7, "give g/dl; a value in g/l is ten times as large"),
    "bilirubin_mg_dl": (0.05, 60, "give mg/dl; a value in µmol/l is 17.1 times as large"),
    "creatinine_mg_dl": (0.1, 25, "give mg/dl; a value in µmol/l is 88.4 times as large"),
    "afp_ng_ml": (0, 1e7, "give ng/ml"),
    "ecog": (0, 4, "give the performance status 0 to 4"),
    "tumour_number": (1, 1000, "give the count of lesions"),
    "tumour_burden_percent": (0, 100, "give percent of the liver's volume"),
}
_WHOLE = ("ecog", "tumour_number")
_IDENTIFIERS = re.compile(
    r"(patient|given|family|first|last|full|sur)?_?name|(patient|case|study|subject)?_?id|mrn|ssn|accession.*"
    r"|.*birth.*|dob|address|phone|e?mail|insurance.*|.*identifier.*",
    re.IGNORECASE,
)


def read_facts(source: ClinicalFacts | Mapping[str, Any] | str | Path | None) -> ClinicalFacts:
    """Read clinical facts from a JSON file or a mapping and check every one of them.

    Args:
        source: path of a JSON object with the fields of :class:`ClinicalFacts`, such a mapping, ready facts
            (checked again), or ``None`` for nothing known.

    Raises:
        InputError: the file cannot be read, holds an unknown field, an identifier of the patient, or a value
            of the wrong type or beyond what a patient can have.
    """
    if source is None:
        return ClinicalFacts()
    if isinstance(source, ClinicalFacts):
        values: Mapping[str, Any] = {f.name: getattr(source, f.name) for f in fields(source)}
    elif isinstance(source, Mapping):
        values = source
    else:
        values = _load(Path(source))
    known = {f.name for f in fields(ClinicalFacts)}
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise InputError(_unknown(str(key), sorted(known)))
        if value is not None:
            checked[key] = _check(key, value)
    return ClinicalFacts(**checked)


def _stated_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object, unless it states a fact twice; JSON would take the last and drop the first in silence."""
    stated: dict[str, Any] = {}
    for name, value in pairs:
        if name in stated:
            raise InputError(f"The clinical facts state {name} twice ({stated[name]!r} and {value!r}); keep one.")
        stated[name] = value
    return stated


def _load(path: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_stated_once)
    except FileNotFoundError:
        raise InputError(f"The clinical facts file {path} does not exist; check the path.") from None
    except IsADirectoryError:
        raise InputError(f"The clinical facts {path} are a folder; give a JSON file.") from None
    except UnicodeDecodeError:
        raise InputError(f"The clinical facts file {path.name} is not text; give JSON in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"The clinical facts file {path.name} is not valid JSON at line {error.lineno}, column "
            f"{error.colno} ({error.msg}); correct it there."
        ) from None
    if not isinstance(values, dict):
        raise InputError(
            f"The clinical facts file {path.name} holds a {type(values).__name__} instead of an object; "
            "write "
            '{"child_pugh": "A5"}.'
        )
    return values


def _unknown(key: str, known: list[str]) -> str:
    if _IDENTIFIERS.fullmatch(key.strip().replace(" ", "_").replace("-", "_")):
        return f"The clinical facts hold '{key}', which can identify the patient; remove it."
    close = difflib.get_close_matches(key.lower(), known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}."
    return f"The clinical facts hold the unknown field '{key}'; {hint}"


def _check(key: str, value: Any) -> Any:
    if key in _FLAGS:
        if not isinstance(value, bool):
            raise InputError(f"The clinical fact {key} is {value!r}; give true or false.")
        return value
    if key in _CHOICES:
        given = str(value).strip()
        for choice in _CHOICES[key]:
            if given.lower() == choice.lower():
                return choice
        raise InputError(f"The clinical fact {key} is {value!r}; give one of {', '.join(_CHOICES[key])}.")
    if key == "child_pugh":
        return _check_child_pugh(value)
    if key == "allergies":
        if isinstance(value, str) or not all(isinstance(v, str) and v.strip() for v in _items(value)):
            raise InputError(f"The clinical fact allergies is {value!r}; give a list of agent names.")
        return tuple(v.strip() for v in value)
    low, high, hint = _RANGES[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(f"The clinical fact {key} is {value!r}; give a number ({hint}).")
    if key in _WHOLE and value != int(value):
        raise InputError(f"The clinical fact {key} is {value!r}; give a whole number.")
    if not low <= value <= high:
        raise InputError(f"The clinical fact {key} is {value:g}, outside {low:g} to {high:g}; {hint}.")
    return int(value) if key in _WHOLE else float(value)


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [None]


def _check_child_pugh(value: Any) -> str:
    text = str(value).strip().upper()
    match = re.fullmatch(r"([ABC])?\s*(\d+)?", text)
    if isinstance(value, bool) or match is None or not text:
        raise InputError(f"The clinical fact child_pugh is {value!r}; give a class A, B or C with its points, e.g. A5.")
    letter, digits = match.groups()
    if digits is None:
        return str(letter)
    points = int(digits)
    if not 5 <= points <= 15:
        raise InputError(f"The clinical fact child_pugh is {value!r}, but points go from 5 to 15; correct it.")
    if letter is not None and letter != _class_of(points):
        raise InputError(
            f"The clinical fact child_pugh is {value!r}, but {points} points are class {_class_of(points)}; correct it."
        )
    return f"{_class_of(points)}{points}"


def _class_of(points: int) -> str:
    return "A" if points <= 6 else "B" if points <= 9 else "C"


def child_pugh_class(facts: ClinicalFacts) -> str | None:
    """Return the Child-Pugh class ``"A"``, ``"B"`` or ``"C"``, or ``None`` where it is not stated.

    Source: Pugh et al., Br J Surg 1973;60:646: A is 5–6 points, B 7–9, C 10–15.
    """
    return facts.child_pugh[0] if facts.child_pugh else None


def child_pugh_points(facts: ClinicalFacts) -> int | None:
    """Return the Child-Pugh points 5–15, or ``None`` where they are not stated."""
    digits = (facts.child_pugh or "")[1:]
    return int(digits) if digits else None


def albi_score(facts: ClinicalFacts) -> float | None:
    """Return the ALBI score, or ``None`` where albumin or bilirubin is not stated.

    ``0.66 log10(bilirubin in µmol/l) − 0.085 albumin in g/l``; grade 1 up to −2.60, grade 2 up to −1.39,
    grade 3 above.
    Source: Johnson et al., J Clin Oncol 2015;33:550, doi 10.1200/JCO.2014.57.9151.
    """
    if facts.albumin_g_dl is None or facts.bilirubin_mg_dl is None:
        return None
    return 0.66 * math.log10(17.1 * facts.bilirubin_mg_dl) - 0.085 * 10.0 * facts.albumin_g_dl


def albi_grade(facts: ClinicalFacts) -> int | None:
    """Return the ALBI grade 1–3, or ``None``; the limits are those of :func:`albi_score`."""
    score = albi_score(facts)
    if score is None:
        return None
    return 1 if score <= -2.60 else 2 if score <= -1.39 else 3
