"""What a patient's clinical facts alone predict, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FACTS = {
    "age_decades": "age",
    "male": "sex",
    "child_pugh_b_or_c": "Child-Pugh class",
    "performance_group": "performance status",
    "multinodular": "number of tumours",
    "portal_vein_thrombosis": "portal vein thrombosis",
    "extrahepatic_spread": "extrahepatic spread",
    "log_afp": "AFP",
    "albumin_g_dl": "albumin",
    "log_bilirubin": "bilirubin",
}
"""What a covariate of :func:`mewm.survival.clinical.clinical_covariates` is called where a user reads it."""


def outlook_words(outlook: Mapping[str, Any]) -> str:
    """Return an outlook (:meth:`mewm.survival.clinical.Outlook.to_dict`) in a few sentences.

    It stands apart from the protocols, because it says nothing about them.
    """
    weeks = "not reached" if outlook["median_weeks"] is None else f"{outlook['median_weeks']:.0f} weeks"
    told = (
        f"{outlook['title']}: {outlook['survival_1y']:.0%} alive after one year, "
        f"{outlook['survival_2y']:.0%} after two, median {weeks}. {outlook['about']}"
    )
    if outlook["not_stated"]:
        names = ", ".join(FACTS.get(name, name) for name in outlook["not_stated"])
        told += f" Not stated, so taken from the series' median: {names}."
    return told
