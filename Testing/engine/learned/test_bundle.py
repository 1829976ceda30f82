"""Model bundles: what is written comes back, and nothing else is accepted."""

import json
import shutil

import pytest

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("safetensors", reason="the 'learned' extra is not installed")

from mewm import bundle  # noqa: E402
from mewm.errors import InputError, ResourceError  # noqa: E402

PARTS = (bundle.METADATA, bundle.INFERENCE, bundle.TRAIN, bundle.WEIGHTS)


def write(folder, **changes):
    torch.manual_seed(0)
    parts = {
        "state": torch.nn.Linear(3, 2).state_dict(),
        "metadata": {"task": "line", "version": "1"},
        "inference": {"network_def": {"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 2}},
        "train": "steps: 1\n",
        "card": "# A line\n",
    }
    return bundle.write_bundle(folder, **{**parts, **changes})


@pytest.fixture
def written(tmp_path):
    write(tmp_path / "line")
    return tmp_path / "line"


def test_weights_come_back_in_the_modules_own_precision(written):
    found = bundle.read_bundle(written, "line")
    module = torch.nn.Linear(**found.network_arguments())
    found.load_into(module)
    torch.manual_seed(0)
    expected = torch.nn.Linear(3, 2)
    assert module.weight.dtype == torch.float32 and not module.training
    torch.testing.assert_close(module.weight, expected.weight, atol=1e-3, rtol=1e-3)
    # Half precision on disk: 8 numbers of 2 bytes.
    assert sum(v.numel() for v in module.state_dict().values()) == 8
    header = int.from_bytes(found.weights[:8], "little")
    assert len(found.weights) - 8 - header == 16


def test_monai_builds_the_network_that_the_bundle_describes(written):
    monai_bundle = pytest.importorskip("monai.bundle", reason="the 'learned' extra is not installed")
    parser = monai_bundle.ConfigParser()
    parser.read_config(str(written / bundle.INFERENCE))
    network = parser.get_parsed_content("network_def")
    bundle.read_bundle(written, "line").load_into(network)


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("damage", ["changed", "missing", "not listed"])
def test_a_changed_or_missing_file_is_named(written, name, damage):
    if damage == "changed":
        (written / name).write_bytes((written / name).read_bytes() + b" ")
    elif damage == "missing":
        (written / name).unlink()
    else:
        sums = written / bundle.CHECKSUMS
        sums.write_text("".join(x for x in sums.read_text().splitlines(True) if name not in x))
    with pytest.raises(ResourceError) as caught:
        bundle.read_bundle(written, "line")
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused(written):
    with pytest.raises(ResourceError, match="do not fit") as caught:
        bundle.read_bundle(written, "line").load_into(torch.nn.Linear(3, 5))
    assert "\n" not in str(caught.value)


def test_a_file_that_holds_no_tensors_is_refused(written):
    (written / bundle.WEIGHTS).write_bytes(b"no tensors at all")
    bundle.write_checksums(written, PARTS)
    with pytest.raises(ResourceError, match="do not fit"):
        bundle.read_bundle(written, "line").load_into(torch.nn.Linear(3, 2))


def test_the_digests_are_those_of_sha256sum(written, tmp_path):
    lines = (written / bundle.CHECKSUMS).read_text().splitlines()
    assert sorted(line.split("  ")[1] for line in lines) == sorted(PARTS)
    copy = shutil.copytree(written, tmp_path / "copy")
    assert bundle.read_bundle(copy, "line").sha256 == bundle.read_bundle(written, "line").sha256
    assert json.loads((copy / bundle.METADATA).read_text())["task"] == "line"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written") as caught:
        write(tmp_path / "file" / "line")
    assert "\n" not in str(caught.value)
