"""Tumour that grew out of the drawn lesion: what the training of the assistant does so that it is read."""

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("nnunetv2", reason="the 'learned' extra is not installed")

from mewm.errors import InputError  # noqa: E402
from mewm.roles import Tissue  # noqa: E402
from mewm.training.assistant.config import AssistantConfig  # noqa: E402
from mewm.training.assistant.raw_dataset import GROWN_VOXELS, grown_images  # noqa: E402
from mewm.training.assistant.redraw import REACH, RedrawLesion  # noqa: E402

EDGE = 48


def ball(radius, middle=EDGE / 2):
    z, y, x = np.indices((EDGE,) * 3)
    return (z - middle) ** 2 + (y - middle) ** 2 + (x - middle) ** 2 < radius**2


@pytest.mark.parametrize("radius", [4, 5, 14])
def test_a_lesion_is_drawn_anew_by_a_few_voxels_both_ways_and_the_cts_stay(radius):
    mask = ball(radius)
    near, core = ball(radius + REACH), ball(max(radius - REACH, radius / 2) - 1)
    ct = torch.randn(EDGE, EDGE, EDGE)
    sizes = []
    for seed in range(40):
        torch.manual_seed(seed)
        given = torch.from_numpy(mask.astype(np.float32))
        redrawn = RedrawLesion(1)(image=torch.stack([ct, given]))["image"]
        assert torch.equal(redrawn[0], ct)
        assert set(redrawn[1].unique().tolist()) == {0.0, 1.0}
        again = redrawn[1].numpy() > 0
        assert not again[~near].any() and again[core].all()
        sizes.append(np.count_nonzero(again) / np.count_nonzero(mask))
    assert min(sizes) < 0.95 and max(sizes) > 1.05
    assert np.mean(np.array(sizes) != 1) > 0.3


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


@pytest.mark.parametrize("augment", [False, True])
def test_the_lesion_is_drawn_anew_before_anything_else_changes_it(augment, monkeypatch):
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    from mewm.training.assistant.trainer import LesionTrainer, OwnDraws

    usual = RedrawLesion(0)
    monkeypatch.setattr(nnUNetTrainer, "get_training_transforms", staticmethod(lambda *_, **__: usual))
    config = AssistantConfig(redrawn=0.5, augment=augment)
    monkeypatch.setattr(LesionTrainer, "config", config, raising=False)
    steps = LesionTrainer.get_training_transforms([32] * 3, None, None, None, False).transforms
    first, drawn = steps[0], steps[1]
    assert isinstance(first, OwnDraws) and isinstance(drawn.transform, RedrawLesion)
    assert drawn.transform._channel == config.channels.index("lesion") and drawn.apply_probability == 0.5
    assert (steps[2] is usual) == augment


def test_processes_that_prepare_patches_draw_each_their_own():
    """As nnU-Net forks them: PyTorch's generator is that of the parent, NumPy's is seeded anew."""
    from mewm.training.assistant.trainer import OwnDraws

    step = OwnDraws()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert step(image=1) == {"image": 1} and torch.equal(torch.rand(1), expected)
    drawn = []
    for worker in (1, 2):
        torch.manual_seed(3)
        np.random.seed(worker)
        step._process = -1
        step(image=1)
        drawn.append(float(torch.rand(1)))
        step(image=1)
        assert float(torch.rand(1)) != drawn[-1]
    assert len({*drawn, float(expected)}) == 3


@pytest.mark.parametrize("change", [{"grown": 2}, {"redrawn": 0.5}])
def test_growth_out_of_a_lesion_that_is_no_channel_is_told(change):
    with pytest.raises(InputError, match="add 'lesion' to the channels"):
        AssistantConfig(channels=("post", "soft"), **change)
