"""From the panel's choices to a request of the engine, or to the sentence that says what is missing."""

from __future__ import annotations

import re
from typing import Any

from mewm.clinical import ClinicalFacts, read_facts
from mewm.errors import InputError
from MeWMModuleLib.model_choices import ROLES
from MeWMModuleLib.nodes import SYNTHETIC_ATTRIBUTE

_FACT = "fact_"
# How the panel calls a fact that a sentence of the engine names by its field.
_WORDS = {
    "age": "The age",
    "child_pugh": "Child-Pugh",
    "albumin_g_dl": "Albumin",
    "bilirubin_mg_dl": "Bilirubin",
    "creatinine_mg_dl": "Creatinine",
    "afp_ng_ml": "AFP",
    "ecog": "ECOG",
    "tumour_number": "The number of lesions",
    "tumour_burden_percent": "The tumour burden",
}
_TEXTS = {
    "sex",
    "child_pugh",
    "bclc",
    "portal_vein_thrombosis",
    "arteriovenous_shunt",
    "ascites",
}
_WHOLE = {"ecog", "tumour_number"}
SETTINGS = ("beams", "drugs", "embolics", "replicas", "drug_horizon", "embolic_horizon", "seed")


def stated_facts(parameters: Any) -> dict[str, Any]:
    """Return the clinical facts that are stated, as typed, by field of :class:`mewm.clinical.ClinicalFacts`."""
    values = {name: getattr(parameters, _FACT + name) for name in ClinicalFacts.__dataclass_fields__}
    return {name: value for name, value in values.items() if value not in ("", False) and str(value).strip()}


def facts_of(parameters: Any) -> dict[str, Any]:
    """Return the stated clinical facts by field of :class:`mewm.clinical.ClinicalFacts`.

    Raises:
        InputError: a number cannot be read, or a value is beyond what a patient can have.
    """
    stated: dict[str, Any] = {}
    for name, typed in stated_facts(parameters).items():
        value = typed.strip() if isinstance(typed, str) else typed
        stated[name] = value if value is True or name in _TEXTS else _read(name, value)
    try:
        read_facts(stated)
    except InputError as error:
        called = re.sub(r"^The clinical fact (\w+)", lambda found: _WORDS.get(found[1], found[0]), str(error))
        raise InputError(called) from error
    return stated


def _read(name: str, text: str) -> Any:
    if name == "allergies":
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return int(text) if name in _WHOLE else float(text.replace(",", "."))
    except ValueError:
        kind = "a whole number" if name in _WHOLE else "a number"
        raise InputError(f"{_WORDS[name]} is {text!r}; give {kind}.") from None


def unavailable_of(parameters: Any) -> list[str]:
    """Return the identifiers of the agents that the institution does not have."""
    return [name for name in parameters.unavailable.split(",") if name]


def formulary_of(parameters: Any) -> Any:
    """Return the :class:`mewm.actions.formulary.Formulary` of the panel.

    Raises:
        InputError: nothing is left.
    """
    from mewm.actions.formulary import Formulary

    missing = unavailable_of(parameters)
    return Formulary.without(missing) if missing else Formulary.everything()


def why_not(parameters: Any) -> str:
    """Return one plain sentence that says why nothing can be run yet; empty if all is there."""
    if parameters.ct is None:
        return "Choose the pre-treatment CT, or load the sample case."
    if parameters.ct.GetAttribute(SYNTHETIC_ATTRIBUTE):
        return f"{parameters.ct.GetName()} is simulated; choose the CT before treatment."
    if parameters.ct.GetImageData() is None:
        return f"The CT {parameters.ct.GetName()} holds no image; choose another."
    if parameters.tumour is None:
        return "Choose the segmentation that holds the tumour. If there is none, outline it in the Segment Editor."
    if not parameters.tumour_segment:
        return f"Choose the segment of {parameters.tumour.GetName()} that is the tumour."
    if parameters.liver is not None and not parameters.liver_segment:
        return f"Choose the segment of {parameters.liver.GetName()} that is the liver, or no liver segmentation."
    for node in (parameters.ct, parameters.tumour, parameters.liver):
        if node is not None and node.GetParentTransformNode() is not None:
            return f"{node.GetName()} lies under a transform; harden it first (in Data, right-click it)."
    if not re.fullmatch(r"[\w.-]{1,60}", parameters.case_name):
        return "Give the case a name of letters, digits, '_', '-' or '.'; never a patient's name."
    try:
        facts = read_facts(facts_of(parameters))
        formulary = formulary_of(parameters)
        _require_admissible(facts, formulary, parameters)
    except InputError as error:
        return str(error)
    return ""


def _require_admissible(facts: ClinicalFacts, formulary: Any, parameters: Any) -> None:
    from mewm.actions.rules import require_admissible

    require_admissible(facts, formulary, parameters.drug_horizon, parameters.embolic_horizon)


def case_of(files: dict[str, str], parameters: Any) -> dict[str, Any]:
    """Return the ``case`` of a request.

    Args:
        files: ``ct``, ``lesion`` and perhaps ``liver``: paths of what was written for the engine.
        parameters: the panel's choices.
    """
    return {**files, "facts": facts_of(parameters)}


def explore_request(parameters: Any, files: dict[str, str], run: str) -> dict[str, Any]:
    """Return the parameters of the request ``explore`` (docs/worker.md)."""
    missing = unavailable_of(parameters)
    return {
        "case": case_of(files, parameters),
        "run": run,
        "name": parameters.case_name,
        "goal": parameters.goal,
        "formulary": {"unavailable": missing} if missing else None,
        "policy": parameters.policy,
        "search": parameters.search,
        "settings": {name: getattr(parameters, name) for name in SETTINGS},
        **_models_of(parameters),
    }


def with_accepted(request: dict[str, Any], digest: str, keep_exchange: bool) -> dict[str, Any]:
    """Return a request ``explore`` that may send the one payload of this digest."""
    return {**request, "send_accepted": digest, "keep_exchange": keep_exchange}


def preview_request(request: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return the request ``preview`` that belongs to a request ``explore``."""
    same = ("case", "goal", "formulary", "policy", "settings")
    return {**{name: request[name] for name in same}, "folder": folder}


def simulate_request(parameters: Any, files: dict[str, str], run: str) -> dict[str, Any]:
    """Return the parameters of the request ``simulate`` for a case without a run."""
    missing = unavailable_of(parameters)
    return {
        "case": case_of(files, parameters),
        "run": run,
        "name": parameters.case_name,
        "formulary": {"unavailable": missing} if missing else None,
        "protocol": parameters.own_protocol,
        "override_rules": parameters.override_rules,
        "settings": {"replicas": parameters.replicas, "seed": parameters.seed},
        **_models_of(parameters),
    }


def _models_of(parameters: Any) -> dict[str, str]:
    """Return what computes, and where."""
    return {name: getattr(parameters, name) for name in (*ROLES, "device")}
