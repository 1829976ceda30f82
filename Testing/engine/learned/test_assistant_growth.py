"""Tumour that grew out of the drawn lesion: what the training of the assistant does so that it is read."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from lesion_phantoms import phantom_roi
from scipy import ndimage

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("nnunetv2", reason="the 'learned' extra is not installed")

from mewm.assistant.nnunet import CHANNELS, NnunetAssistant, network_inputs  # noqa: E402
from mewm.errors import InputError  # noqa: E402
from mewm.roles import Tissue  # noqa: E402
from mewm.training.assistant.config import AssistantConfig  # noqa: E402
from mewm.training.assistant.raw_dataset import GROWN_VOXELS, grown_images  # noqa: E402
from mewm.training.assistant.redraw import RedrawLesion  # noqa: E402

EDGE = 48


def ball(radius, middle=EDGE / 2):
    z, y, x = np.indices((EDGE,) * 3)
    return (z - middle) ** 2 + (y - middle) ** 2 + (x - middle) ** 2 < radius**2


def test_a_lesion_is_drawn_anew_by_a_few_voxels_both_ways_and_the_cts_stay():
    mask = torch.from_numpy(ball(14).astype(np.float32))
    near, core = torch.from_numpy(ball(19)), torch.from_numpy(ball(9))
    ct = torch.randn(EDGE, EDGE, EDGE)
    sizes = []
    for seed in range(12):
        torch.manual_seed(seed)
        redrawn = RedrawLesion(1)(image=torch.stack([ct, mask.clone()]))["image"]
        assert torch.equal(redrawn[0], ct)
        assert set(redrawn[1].unique().tolist()) <= {0.0, 1.0}
        assert not redrawn[1][~near].any() and redrawn[1][core].all()
        sizes.append(float(redrawn[1].sum() / mask.sum()))
    assert min(sizes) < 0.95 and max(sizes) > 1.05
    assert len(set(sizes)) == len(sizes)


def test_a_patch_without_lesion_stays_without_one():
    image = torch.zeros(2, 16, 16, 16)
    assert not RedrawLesion(1)(image=image)["image"].any()


def test_images_of_growth_are_found(tmp_path):
    """Viable tumour outside the drawing counts; dead tumour there, or a few voxels of it, does not."""
    drawn = ball(8)
    shell = ball(11) & ~drawn
    few = np.zeros_like(drawn)
    few[0, 0, : GROWN_VOXELS // 4] = True
    cases = {
        "train_00000": (drawn | shell, Tissue.VIABLE),
        "train_00000s": (drawn, Tissue.VIABLE),
        "train_00001": (shell, Tissue.NECROSIS),
        "val_00000": (drawn | few, Tissue.VIABLE),
    }
    for part in ("labelsTr", "imagesTr"):
        (tmp_path / part).mkdir()
    for name, (where, tissue) in cases.items():
        labels = np.where(where, np.uint8(tissue), np.uint8(Tissue.LIVER))
        sitk.WriteImage(sitk.GetImageFromArray(labels), str(tmp_path / "labelsTr" / f"{name}.nrrd"))
        lesion = sitk.GetImageFromArray(drawn.astype(np.uint8))
        sitk.WriteImage(lesion, str(tmp_path / "imagesTr" / f"{name}_0002.nrrd"))
    assert grown_images(tmp_path, AssistantConfig(channels=("post", "pre", "lesion"), processes=1)) == ["train_00000"]


def test_images_of_growth_count_as_often_as_configured(monkeypatch):
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    from mewm.training.assistant.trainer import LesionTrainer

    sets = SimpleNamespace(identifiers=["a", "b", "c"]), SimpleNamespace(identifiers=["v"])
    monkeypatch.setattr(nnUNetTrainer, "get_tr_and_val_datasets", lambda self: sets)
    monkeypatch.setattr(LesionTrainer, "config", AssistantConfig(grown=3), raising=False)
    monkeypatch.setattr(LesionTrainer, "grown_cases", frozenset({"b", "v"}))
    training, validation = LesionTrainer.get_tr_and_val_datasets(object.__new__(LesionTrainer))
    assert sorted(training.identifiers) == ["a", "b", "b", "b", "c"]
    assert validation.identifiers == ["v"]


@pytest.mark.parametrize("change", [{"grown": 2}, {"redrawn": 0.5}])
def test_growth_out_of_a_lesion_that_is_no_channel_is_told(change):
    with pytest.raises(InputError, match="add 'lesion' to the channels"):
        AssistantConfig(channels=("post", "soft"), **change)


class Beside:
    """A network that answers what it was given, whatever it sees."""

    sha256, notice, task, in_voxels, patch, folder = "0" * 64, "", "", True, (96, 96, 96), Path("beside")
    channels, labels = ("CT",), {"background": 0, "liver": 1, "viable": 2, "necrosis": 3, "lipiodol": 4}

    def __init__(self, tissue):
        self._tissue = tissue

    def predict(self, image, spacing, *, in_one=False):
        return self._tissue


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


def test_channels_of_a_part_are_those_of_the_whole_grid():
    roi = phantom_roi(diameter=30.0, irregularity=0.0, noise=0.0)
    ct = roi.ct + np.random.default_rng(0).normal(0, 20, roi.ct.shape).astype(np.float32)
    box = (slice(0, 64), slice(20, 84), slice(32, 96))
    names = list(CHANNELS.values())
    for whole, part in zip(network_inputs(roi, ct, names), network_inputs(roi, ct, names, box), strict=True):
        assert part.shape == (64, 64, 64)
        np.testing.assert_allclose(part, whole[box], atol=1e-3)
