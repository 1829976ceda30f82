"""What the training of the survival model refuses before it reads a case, and where its models run."""

import pytest

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("torchvision", reason="the 'learned' extra is not installed")
pytest.importorskip("tensorboard", reason="the 'learned' extra is not installed")

from mewm.errors import InputError  # noqa: E402
from mewm.survival.attention.encoder import Mc3Encoder  # noqa: E402


@pytest.mark.parametrize("damage", ["cut short", "words", "code", "a tensor", "nothing", "a folder", "missing"])
def test_pretrained_weights_that_cannot_be_used_are_told_in_one_sentence(damage, tmp_path):
    path, told = tmp_path / "mc3_18.pth", "damaged, or no file that torch.save wrote of tensors alone"
    if damage == "cut short":
        torch.save({"stem.0.weight": torch.zeros(64, 3, 3, 7, 7)}, path)
        path.write_bytes(path.read_bytes()[:5000])
    elif damage in ("words", "nothing"):
        path.write_text("these are no weights" if damage == "words" else "", encoding="utf-8")
    elif damage == "code":
        torch.save({"stem.0.weight": tmp_path}, path)
    elif damage == "a tensor":
        torch.save(torch.zeros(3), path)
        told = "not those of mc3_18"
    else:
        told = r"cannot be read \(No such file or directory\)"
        if damage == "a folder":
            path.mkdir()
            told = r"cannot be read \(Is a directory\)"
    with pytest.raises(InputError, match=told) as found:
        Mc3Encoder(6, width=4).begin_with(path)
    assert "\n" not in str(found.value) and "Errno" not in str(found.value)
