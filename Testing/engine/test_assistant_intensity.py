"""The intensity assistant reads back what the simulator drew, without being told."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from mewm.actions.text import parse_protocol
from mewm.assistant.intensity import IntensityAssistant
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.roi import cut_roi
from mewm.roles import Tissue

# Least Dice of oil and largest error of the viable share. After little oil the flecks are scattered and tumour
# that died without oil is hard to tell from tumour that lives, so the bounds are wider there.
PROTOCOLS = {
    "Lobaplatin 30 mg; Lipiodol 10 ml; Gelatin Sponge 150-350 µm": (0.8, 0.12),
    "Hydroxycamptothecin 20 mg; Lipiodol 5 ml": (0.65, 0.3),
    "Lobaplatin 30 mg; Raltitrexed 4 mg; Lipiodol 15 ml; NBCA": (0.8, 0.12),
}


@pytest.fixture(scope="module")
def roi(phantoms):
    return cut_roi(phantoms.make_phantom_case(lesion_radius=22.0))


def dice(found, truth, label):
    a, b = found == label, truth == label
    return 2 * (a & b).sum() / max(a.sum() + b.sum(), 1)


def test_an_untreated_lesion_is_viable_and_its_dark_core_is_not(roi):
    tissue = IntensityAssistant().segment(roi, roi.ct)
    assert tissue.dtype == np.uint8
    assert (tissue == Tissue.LIPIODOL).sum() == 0
    inside = tissue[roi.lesion]
    assert np.isin(inside, (Tissue.VIABLE, Tissue.NECROSIS)).mean() > 0.9
    assert (inside == Tissue.VIABLE).mean() > 0.5
    assert (tissue[roi.liver & (roi.feather == 0)] == Tissue.LIVER).all()


@pytest.mark.parametrize("text", PROTOCOLS)
def test_tissue_is_read_back_from_the_simulated_ct(roi, text):
    dynamics, assistant = MechanisticDynamics(), IntensityAssistant()
    protocol = parse_protocol(text).protocol
    oil, viable_error = [], []
    for seed in range(4):
        found = assistant.segment(roi, dynamics.simulate(roi, protocol, [seed])[0])
        truth = dynamics.tissue(roi, protocol, seed)
        share = [
            (t == Tissue.VIABLE).sum() / max(np.isin(t, (Tissue.VIABLE, Tissue.NECROSIS, Tissue.LIPIODOL)).sum(), 1)
            for t in (found, truth)
        ]
        viable_error.append(abs(share[0] - share[1]))
        if (truth == Tissue.LIPIODOL).sum() > 300:
            oil.append(dice(found, truth, Tissue.LIPIODOL))
    least_dice, largest_error = PROTOCOLS[text]
    assert np.median(oil) > least_dice
    assert np.mean(viable_error) < largest_error


def test_the_same_ct_gives_the_same_tissue(roi):
    post = MechanisticDynamics().simulate(roi, parse_protocol(next(iter(PROTOCOLS))).protocol, [1])[0]
    before = post.copy()
    first = IntensityAssistant().segment(roi, post)
    np.testing.assert_array_equal(first, IntensityAssistant().segment(roi, post))
    np.testing.assert_array_equal(post, before)


def test_bone_beside_the_lesion_is_not_oil(roi):
    # Whatever was dense before treatment cannot be oil.
    ct = roi.ct.copy()
    ct[40:56, 40:44, 40:44] = 900.0
    calcified = dataclasses.replace(roi, ct=ct)
    tissue = IntensityAssistant().segment(calcified, ct)
    assert (tissue == Tissue.LIPIODOL).sum() == 0


def test_a_bright_layer_as_thin_as_partial_volume_is_not_viable_tumour(roi):
    depth = ndimage.distance_transform_edt(roi.lesion) * roi.spacing
    enhancing = float(np.median(roi.ct[roi.lesion & (depth > 4)]))
    viable = {}
    for thickness in (1.5, 6.0):
        ct = roi.ct.copy()
        ct[roi.lesion] = np.where(depth[roi.lesion] <= thickness, enhancing, 30.0)
        viable[thickness] = (IntensityAssistant().segment(roi, ct) == Tissue.VIABLE).sum() * roi.spacing**3 / 1000
    assert viable[1.5] == 0
    assert viable[6.0] > 1
