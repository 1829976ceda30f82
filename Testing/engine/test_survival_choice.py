"""Which bundles can score simulated futures."""

import numpy as np
import pytest

from mewm.actions.text import parse_protocol
from mewm.errors import InputError
from mewm.resources import resource_path
from mewm.roi import cut_roi
from mewm.survival.choose import choose_survival
from mewm.survival.covariates import NAMES, covariates


def test_a_regression_on_clinical_facts_alone_is_refused():
    with pytest.raises(InputError, match="looks at age_decades, which a simulated future does not tell; give one of"):
        choose_survival(str(resource_path("Models/clinical_cox_hcc_tace_seg")))
    assert choose_survival(str(resource_path("Models/survival_cox"))).sha256 == choose_survival().sha256


def test_the_names_are_those_of_the_covariates(phantom_case):
    roi = cut_roi(phantom_case)
    protocol = parse_protocol("Lobaplatin 30 mg; Lipiodol 10 ml").protocol
    assert tuple(covariates(roi, np.zeros(roi.ct.shape, np.uint8), protocol)) == NAMES
