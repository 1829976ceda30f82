"""What the assistant makes of a network's labels: words, oil, and what lies beside the drawn lesion."""

import numpy as np
import pytest
from lesion_phantoms import phantom_roi
from scipy import ndimage
from tiny_assistant import Beside, StandIn

from mewm.assistant.intensity import OIL_HU
from mewm.assistant.labels import MAPPING_FILE, tissue_table
from mewm.assistant.nnunet import CHANNELS, NnunetAssistant, network_inputs
from mewm.bundle import CHECKSUMS
from mewm.errors import InputError
from mewm.roi import GRID
from mewm.roles import Tissue


def test_a_plain_tumour_network_has_its_oil_told_by_attenuation():
    roi = phantom_roi(diameter=30.0, irregularity=0.0)
    # Half of the lesion takes oil up; the rest enhances as before.
    ct = np.where(roi.lesion & (np.indices(roi.ct.shape)[0] > 48), roi.ct + np.float32(400), roi.ct)
    network = StandIn({"background": 0, "Liver": 2, "tumor": 1}, lambda ct: np.where(ct > 100, 1, 2).astype(np.uint8))
    assistant = NnunetAssistant(network)
    labels, box = assistant.segment(roi, ct)[assistant.region(roi)], assistant.region(roi)
    assert network.seen.shape[0] == 1
    # Beside the drawn lesion the CT before treatment has its say too (below).
    inside, ct = roi.lesion[box], ct[box]
    oil, bright = ct > OIL_HU, ct > 100
    assert (inside & oil).any() and (labels[inside & oil] == Tissue.LIPIODOL).all()
    assert (inside & bright & ~oil).any() and (labels[inside & bright & ~oil] == Tissue.VIABLE).all()
    assert (labels[roi.feather[box] == 0] == Tissue.LIVER).all()


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"background": 0, "liver": 1}, "none of which is viable tumour"),
        ({"background": 0, "tumour": 1, "wizard": 2}, "'wizard'"),
        ({"background": 0, "tumour": [1, 2]}, "overlapping regions"),
    ],
)
def test_labels_that_do_not_fit_are_told_in_a_sentence(labels, told, tmp_path):
    with pytest.raises(InputError, match=told):
        tissue_table(labels, tmp_path)


def test_a_users_words_are_taken_from_a_file(tmp_path):
    (tmp_path / MAPPING_FILE).write_text('{"wizard": "necrosis", "tumour": "background"}', encoding="utf-8")
    table = tissue_table({"background": 0, "HCC": 3, "wizard": 1, "tumour": 2}, tmp_path)
    assert table.tolist() == [0, Tissue.NECROSIS, 0, Tissue.VIABLE]
    (tmp_path / MAPPING_FILE).write_text('{"wizard": "magic"}', encoding="utf-8")
    with pytest.raises(InputError, match="is not understood"):
        tissue_table({"wizard": 1}, tmp_path)


def test_a_file_of_words_does_not_change_what_a_bundle_says(tmp_path):
    (tmp_path / MAPPING_FILE).write_text('{"viable": "necrosis"}', encoding="utf-8")
    assert tissue_table({"background": 0, "viable": 1}, tmp_path / "own").tolist() == [0, Tissue.VIABLE]
    (tmp_path / CHECKSUMS).touch()
    assert tissue_table({"background": 0, "viable": 1}, tmp_path).tolist() == [0, Tissue.VIABLE]


def test_channels_that_nobody_can_fill_are_told():
    network = StandIn({"background": 0, "tumour": 1}, None)
    network.channels = ("CT", "MRI")
    with pytest.raises(InputError, match="wants the channel 'CT' besides others"):
        NnunetAssistant(network)


@pytest.mark.parametrize(("tissue", "rise"), [(Tissue.LIPIODOL, 200.0), (Tissue.NECROSIS, -40.0)])
def test_beside_the_drawn_lesion_oil_is_denser_and_necrosis_darker_than_before(tissue, rise):
    """A vessel as bright as oil, fat as dark as necrosis: the CT before treatment shows them too."""
    roi = phantom_roi(diameter=30.0, irregularity=0.0, noise=0.0)
    z = np.indices(roi.ct.shape)[0]
    new = roi.lesion | (z >= 48)
    answer = np.full(roi.ct.shape, np.uint8(tissue))
    ct = roi.ct + np.where(new, np.float32(rise), np.float32(0))
    labels = NnunetAssistant(Beside(answer)).segment(roi, ct)
    reached = roi.feather > 0
    # The step between changed and unchanged is smoothed by a few voxels.
    assert (labels[reached & (z >= 52)] == tissue).all() and (labels[roi.lesion] == tissue).all()
    away = reached & (z < 44) & ~ndimage.binary_dilation(roi.lesion, iterations=5)
    assert away.any() and (labels[away] == Tissue.LIVER).all()


def test_a_part_that_does_not_touch_the_lesion_is_another_tumour():
    roi = phantom_roi(diameter=30.0, irregularity=0.0, noise=0.0)
    answer = np.where(roi.lesion, np.uint8(Tissue.VIABLE), np.uint8(Tissue.LIVER))
    answer[48, 48, 70:74] = Tissue.VIABLE
    assert roi.feather[48, 48, 70:74].all()
    labels = NnunetAssistant(Beside(answer)).segment(roi, roi.ct)
    assert np.array_equal(labels == Tissue.VIABLE, roi.lesion)


def test_where_a_network_finds_no_target_another_tumour_does_not_take_its_place():
    roi = phantom_roi(diameter=30.0, irregularity=0.0, noise=0.0)
    answer = np.full(roi.ct.shape, np.uint8(Tissue.LIVER))
    answer[48, 48, 70:74] = Tissue.VIABLE
    labels = NnunetAssistant(Beside(answer)).segment(roi, roi.ct)
    assert not (labels > Tissue.LIVER).any()


def test_what_lies_beside_the_liver_is_no_liver_where_a_tumour_is_refused():
    roi = phantom_roi(diameter=30.0, irregularity=0.0, noise=0.0, size=GRID, spacing=2.0)
    away = (roi.feather == 0) & ~roi.liver
    answer = np.where(away | roi.lesion, np.uint8(Tissue.VIABLE), roi.liver.astype(np.uint8))
    labels = NnunetAssistant(Beside(answer)).segment(roi, roi.ct)
    box = np.zeros(away.shape, bool)
    box[NnunetAssistant(Beside(answer)).region(roi)] = True
    assert (away & box).any() and not labels[away & box].any()


def test_channels_of_a_part_are_those_of_the_whole_grid():
    roi = phantom_roi(diameter=30.0, irregularity=0.0, noise=0.0)
    ct = roi.ct + np.random.default_rng(0).normal(0, 20, roi.ct.shape).astype(np.float32)
    box = (slice(0, 64), slice(20, 84), slice(32, 96))
    names = list(CHANNELS.values())
    for whole, part in zip(network_inputs(roi, ct, names), network_inputs(roi, ct, names, box), strict=True):
        assert part.shape == (64, 64, 64)
        np.testing.assert_allclose(part, whole[box], atol=1e-3)
