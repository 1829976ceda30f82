"""The learned assistant: from a cohort to a bundle through nnU-Net itself, and what reads the bundle."""

import json
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from tiny_assistant import TINY, tiny_cohort, train_command

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("nnunetv2", reason="the 'learned' extra is not installed")

from mewm import api, compute  # noqa: E402
from mewm.assistant import network as networks  # noqa: E402
from mewm.assistant.choose import assistant_names, choose_assistant  # noqa: E402
from mewm.assistant.network import load_network, write_nnunet_folder  # noqa: E402
from mewm.assistant.nnunet import SOFT_HU, network_inputs  # noqa: E402
from mewm.bundle import CHECKSUMS, WEIGHTS, write_checksums  # noqa: E402
from mewm.cli import main  # noqa: E402
from mewm.cohort.dataset import read_cohort  # noqa: E402
from mewm.errors import InputError, ResourceError  # noqa: E402
from mewm.roi import cut_roi  # noqa: E402
from mewm.roles import Tissue  # noqa: E402
from mewm.run import read_manifest  # noqa: E402
from mewm.training.assistant.config import AssistantConfig  # noqa: E402
from mewm.training.assistant.measure import dice, measure_assistants  # noqa: E402
from mewm.training.assistant.nnunet_process import CONFIGURATION  # noqa: E402
from mewm.training.assistant.raw_dataset import write_raw_dataset  # noqa: E402


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return tiny_cohort(tmp_path_factory.mktemp("assistant") / "cohort")


@pytest.fixture(scope="module")
def trained(cohort, tmp_path_factory):
    """A folder with the work and the bundle of a tiny nnU-Net for CTs after treatment."""
    folder = tmp_path_factory.mktemp("post")
    channels = "[post, pre, lesion, soft, change]"
    text = TINY.format(task="post", channels=channels, simulated=1.0, spacing=0, epochs=3, iterations=15)
    text += "grown: 2\nredrawn: 0.5\n"
    given = train_command(cohort, folder, text, "--out", str(folder / "bundle"), "--test-cases", "1")
    assert main(given) == 0
    return folder


@pytest.fixture(scope="module")
def case(cohort):
    return cohort.load(cohort.split("test")[0])


def test_the_raw_dataset_names_nobody_and_leaves_the_test_split_alone(cohort, trained):
    target = trained / "work" / "nnunet_raw" / "Dataset001_PostTace"
    names = sorted(path.name.removesuffix(".nrrd") for path in (target / "labelsTr").iterdir())
    assert names == ["train_00000", "train_00000s", "train_00001", "train_00001s", "val_00000", "val_00000s"]
    (fold,) = json.loads((target / "splits_final.json").read_text(encoding="utf-8"))
    assert fold == {"train": names[:4], "val": names[4:]}
    held = {cohort.load(row).post_ct.astype(np.int16).tobytes() for row in cohort.split("test")}
    for name in names:
        image = sitk.ReadImage(str(target / "imagesTr" / f"{name}_0000.nrrd"))
        assert image.GetSpacing() == (1, 1, 1) and image.GetOrigin() == (0, 0, 0)
        assert sitk.GetArrayFromImage(image).tobytes() not in held
    written = "".join(path.read_text(encoding="utf-8") for path in target.glob("*.json"))
    assert not any(row.case_id in written for row in cohort.rows)
    first = cohort.load(cohort.split("train")[0])
    true = sitk.GetArrayFromImage(sitk.ReadImage(str(target / "labelsTr" / "train_00000.nrrd")))
    assert np.array_equal(true, first.tissue)
    simulated = sitk.GetArrayFromImage(sitk.ReadImage(str(target / "labelsTr" / "train_00000s.nrrd")))
    assert not np.array_equal(simulated, true) and set(np.unique(simulated)) <= {int(t) for t in Tissue}


def test_channels_of_soft_tissue_show_it_without_what_oil_adds(trained):
    images = trained / "work" / "nnunet_raw" / "Dataset001_PostTace" / "imagesTr"
    paths = [images / f"train_00000s_{k:04d}.nrrd" for k in range(5)]
    full, before, lesion, soft, change = (sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in paths)
    low, high = SOFT_HU
    window = (full > low) & (full < high)
    assert full.max() > high > soft.mean() and soft.min() >= low and soft.max() <= high
    assert np.array_equal(full[window], soft[window])
    # A simulation leaves what is far from the lesion as it was.
    far = ~ndimage.binary_dilation(full != before, np.ones((9, 9, 9)))
    assert change[lesion > 0].any() and far.any() and not change[far].any()
    assert abs(int(change.sum()) - int(soft.sum() - before.clip(low, high).sum())) < 0.02 * abs(change).sum()


def test_a_bundle_holds_nnunets_own_folder_and_no_pickle(trained):
    bundle = trained / "bundle"
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert {"nnunet/plans.json", "nnunet/dataset.json", "nnunet/fold_0/progress.json", WEIGHTS} <= files
    assert not any(name.endswith((".pth", ".pt", ".pkl")) for name in files)
    listed = {line.split("  ")[1] for line in (bundle / CHECKSUMS).read_text(encoding="ascii").splitlines()}
    assert listed == files - {CHECKSUMS, "docs/README.md"}
    assert str(trained) not in "".join((bundle / name).read_text(errors="ignore") for name in files)
    metadata = json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))
    assert set(metadata["figures"]) == {"nnU-Net", "intensity"}
    assert metadata["training"]["epochs"] == 3
    losses = json.loads((bundle / "nnunet/fold_0/progress.json").read_text(encoding="utf-8"))["train_losses"]
    assert len(losses) == 3 and losses[-1] < losses[0]


def test_nnunet_itself_reads_the_folder_that_is_written_of_a_bundle(trained, case, tmp_path, monkeypatch):
    """What nnU-Net's own predictor says of the written folder, in 32 bits on CPU, is what the bundle says here."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    folder = write_nnunet_folder(trained / "bundle", tmp_path / "folder")
    theirs = nnUNetPredictor(device=torch.device("cpu"), use_mirroring=False, allow_tqdm=False)
    theirs.initialize_from_trained_model_folder(str(folder), (0,))
    names = list(theirs.dataset_json["channel_names"].values())
    image = np.stack(network_inputs(case.roi, case.post_ct, names)).astype(np.float32)
    image, tile = image[:, 24:72, 24:72, 24:72], image[:, 32:64, 32:64, 32:64]
    expected = theirs.predict_single_npy_array(image, {"spacing": [1.0, 1.0, 1.0]})
    # Weights for blending would change the last digit of a single tile.
    theirs.use_gaussian = False
    of_tile = theirs.predict_single_npy_array(tile, {"spacing": [1.0, 1.0, 1.0]})
    assert len(np.unique(of_tile)) > 1
    for source in (trained / "bundle", folder):
        monkeypatch.setattr(compute, "half_type", lambda device: None)
        ours = load_network(source, "cpu")
        assert not ours.predictor.network.training
        assert np.array_equal(ours.predict(image, [1, 1, 1]), expected)
        with monkeypatch.context() as patched:
            patched.setattr(nnUNetPredictor, "predict_sliding_window_return_logits", lambda *_: pytest.fail("tiles"))
            assert np.array_equal(ours.predict(tile, [1, 1, 1], in_one=True), of_tile)
        monkeypatch.setattr(compute, "half_type", lambda device: torch.bfloat16)
        assert (load_network(source, "cpu").predict(image, [1, 1, 1]) == expected).mean() > 0.97
    own = choose_assistant(str(folder), "cpu")
    assert own.sha256 != choose_assistant(str(trained / "bundle"), "cpu").sha256


def test_several_folds_answer_with_their_mean(trained, case, tmp_path, monkeypatch):
    monkeypatch.setattr(compute, "half_type", lambda device: None)
    folder = write_nnunet_folder(trained / "bundle", tmp_path / "folder")
    image = np.stack(network_inputs(case.roi, case.post_ct, load_network(folder, "cpu").channels)).astype(np.float32)
    tile = image[:, 32:64, 32:64, 32:64]
    alone = load_network(folder, "cpu").predict(tile, [1, 1, 1], in_one=True)
    other = shutil.copytree(folder / "fold_0", folder / "fold_1") / "checkpoint_final.pth"
    checkpoint = torch.load(other, weights_only=True)
    # The last layer answers with the opposite: the mean of both is the same for every label.
    for name in [name for name in checkpoint["network_weights"] if name.startswith("decoder.seg_layers.")]:
        checkpoint["network_weights"][name] = -checkpoint["network_weights"][name]
    torch.save(checkpoint, other)
    both = load_network(folder, "cpu").predict(tile, [1, 1, 1], in_one=True)
    assert len(np.unique(alone)) > 1 and not both.any()


def test_mirroring_is_off_and_can_be_asked_for_where_the_training_allows_it(trained, tmp_path):
    folder = write_nnunet_folder(trained / "bundle", tmp_path / "folder")
    path = folder / "fold_0" / "checkpoint_final.pth"
    torch.save({**torch.load(path, weights_only=True), "inference_allowed_mirroring_axes": (0, 1, 2)}, path)
    assert not load_network(folder, "cpu").predictor.use_mirroring
    asked = load_network(folder, "cpu", mirroring=True).predictor
    assert asked.use_mirroring and asked.allowed_mirroring_axes == (0, 1, 2)


def test_it_reads_the_lesions_region_and_leaves_the_rest(trained, case):
    assistant = choose_assistant(str(trained / "bundle"), "cpu")
    labels = assistant.segment(case.roi, case.post_ct)
    assert labels.dtype == np.uint8 and labels.shape == case.post_ct.shape
    box = assistant.region(case.roi)
    assert all((s.stop - s.start) % 16 == 0 for s in box)
    reached = np.zeros(labels.shape, bool)
    reached[box] = True
    assert reached[case.roi.feather > 0].all()
    assert np.array_equal(labels[~reached], case.roi.liver[~reached])
    assert not (labels[case.roi.feather == 0] > Tissue.LIVER).any()
    assert np.array_equal(labels, assistant.segment(case.roi, case.post_ct))


def test_weights_are_loaded_once_and_the_patch_stays_what_it_was(trained, case, monkeypatch):
    assistant = choose_assistant(str(trained / "bundle"), "cpu")
    monkeypatch.setattr(networks, "read_bundle", lambda *_: pytest.fail("the bundle was read again"))
    for _ in range(2):
        assistant.segment(case.roi, case.post_ct)
    assert assistant._network.patch == (32, 32, 32)


def test_a_changed_file_is_refused(trained, tmp_path):
    copy = shutil.copytree(trained / "bundle", tmp_path / "bundle")
    plans = copy / "nnunet/plans.json"
    plans.write_text(plans.read_text(encoding="utf-8").replace("PlainConvUNet", "ResidualEncoderUNet"))
    with pytest.raises(ResourceError, match="was changed"):
        load_network(copy, "cpu")


def test_a_plan_cannot_name_code_to_run(trained, tmp_path):
    folder = write_nnunet_folder(trained / "bundle", tmp_path / "folder")
    plans = folder / "plans.json"
    harmless = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
    plans.write_text(plans.read_text(encoding="utf-8").replace(harmless, "subprocess.Popen"))
    with pytest.raises(InputError, match=r"subprocess\.Popen, which is not part of nnU-Net"):
        load_network(folder, "cpu")


def test_a_pickle_with_code_in_it_is_not_read(trained, tmp_path):
    folder = write_nnunet_folder(trained / "bundle", tmp_path / "folder")
    torch.save({"network_weights": Path("/")}, folder / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(InputError, match="more than tensors and numbers"):
        load_network(folder, "cpu")


def edit(path, change):
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def of_slices(plans):
    plans["configurations"][CONFIGURATION]["patch_size"] = [32, 32]


def of_a_cascade(plans):
    plans["configurations"][CONFIGURATION]["previous_stage"] = "3d_lowres"


def of_another_training(plans):
    del plans["configurations"][CONFIGURATION]


def without_channels(dataset):
    del dataset["channel_names"]


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("plans.json", of_slices, "reads single slices"),
        ("plans.json", of_a_cascade, "refines what another network found"),
        ("plans.json", of_another_training, "which its plans.json lacks"),
        ("dataset.json", without_channels, "names no channels"),
    ],
)
def test_a_folder_of_another_kind_is_refused_in_a_sentence(name, change, told, trained, tmp_path):
    folder = write_nnunet_folder(trained / "bundle", tmp_path / "folder")
    edit(folder / name, change)
    with pytest.raises(InputError, match=told):
        load_network(folder, "cpu")


def test_weights_alone_are_no_checkpoint_of_nnunet(trained, tmp_path):
    folder = write_nnunet_folder(trained / "bundle", tmp_path / "folder")
    path = folder / "fold_0" / "checkpoint_final.pth"
    torch.save(torch.load(path, weights_only=True)["network_weights"], path)
    with pytest.raises(InputError, match=r"not written by a training of nnU-Net v2"):
        load_network(folder, "cpu")


@pytest.mark.parametrize("content", [b"", b"junk\n", b"PK\x03\x04", b"\x80\x02}q\x00.", bytes(range(256))])
def test_a_damaged_checkpoint_is_told_in_a_sentence(content, trained, tmp_path):
    folder = write_nnunet_folder(trained / "bundle", tmp_path / "folder")
    (folder / "fold_0" / "checkpoint_final.pth").write_bytes(content)
    with pytest.raises(InputError, match="checkpoint"):
        load_network(folder, "cpu")


def test_channels_in_the_words_of_nnunets_first_version_are_read(trained, tmp_path):
    folder = write_nnunet_folder(trained / "bundle", tmp_path / "folder")
    edit(folder / "dataset.json", lambda dataset: dataset.update(modality=dataset.pop("channel_names")))
    assert load_network(folder, "cpu").channels == load_network(trained / "bundle", "cpu").channels


def test_the_checkpoint_of_a_training_is_a_user_folder_too(trained, case):
    folder = next((trained / "work" / "nnunet_results").glob("*/*"))
    assert (folder / "fold_0" / "checkpoint_final.pth").is_file()
    labels = choose_assistant(str(folder), "cpu").segment(case.roi, case.post_ct)
    assert labels.max() <= Tissue.LIPIODOL


def test_a_finished_training_is_not_begun_again_and_other_settings_are_refused(cohort, trained, capsys):
    text = (trained / "tiny.yaml").read_text(encoding="utf-8")
    assert main(train_command(cohort, trained, text)) == 0
    assert "nnU-Net trains" not in capsys.readouterr().out
    assert main(train_command(cohort, trained, text.replace("epochs: 3", "epochs: 4"))) == 2
    assert "other settings" in capsys.readouterr().err
    (trained / "tiny.yaml").write_text(text, encoding="utf-8")


def test_a_training_begun_before_a_setting_was_thought_of_had_its_default(cohort, trained, capsys):
    path = trained / "work" / "settings.json"
    kept = path.read_text(encoding="utf-8")
    text = (trained / "tiny.yaml").read_text(encoding="utf-8")
    edit(path, lambda settings: settings["config"].pop("foreground"))
    assert main(train_command(cohort, trained, text)) == 0
    assert main(train_command(cohort, trained, text + "foreground: 0.4\n")) == 2
    assert "other settings (foreground)" in capsys.readouterr().err
    path.write_text(kept, encoding="utf-8")
    (trained / "tiny.yaml").write_text(text, encoding="utf-8")


def test_an_interrupted_training_goes_on(cohort, trained, tmp_path):
    """The trained one's checkpoint as if it had been planned for longer, so that nothing is prepared again."""
    folder = tmp_path / "cut"
    shutil.copytree(trained / "work", folder / "work")
    (fold,) = (folder / "work" / "nnunet_results").glob("*/*/fold_0")
    (fold / "checkpoint_final.pth").rename(fold / "checkpoint_latest.pth")
    settings = folder / "work" / "settings.json"
    settings.write_text(settings.read_text(encoding="utf-8").replace('"epochs": 3', '"epochs": 500'), encoding="utf-8")
    text = (trained / "tiny.yaml").read_text(encoding="utf-8").replace("epochs: 3", "epochs: 500")
    given = [sys.executable, "-m", "mewm", *train_command(cohort, folder, text)]
    reached = 3
    for _ in range(2):
        # A shell's background job ignores Ctrl-C, and so would what it starts.
        process = subprocess.Popen(
            given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        try:
            line = next(line for line in iter(process.stdout.readline, "") if line.startswith("epoch "))
            assert line.startswith(f"epoch {reached + 1} of 500") and "Dice on patches liver" in line
            process.send_signal(signal.SIGINT)
            rest = process.communicate(timeout=300)[0]
        finally:
            process.kill()
        assert process.returncode == 130 and "the same command goes on" in rest
        reached = torch.load(fold / "checkpoint_latest.pth", weights_only=False)["current_epoch"]
        assert reached >= 4 and not list(fold.glob("*.partial"))


def test_explore_and_manifest_name_the_assistant(trained, phantom_case, tmp_path):
    assistant = choose_assistant(str(trained / "bundle"), "cpu")
    models = api.Models(assistant=assistant)
    found = api.simulate(phantom_case, "Lobaplatin 30 mg; Lipiodol 10 ml", replicas=1, models=models)
    manifest = read_manifest(api.write_run(found, tmp_path / "run"))
    assert manifest["models"]["assistant"] == "own nnU-Net"
    assert manifest["model_hashes"]["assistant"] == assistant.sha256
    assert manifest["device"] == "cpu" and {"torch", "nnunetv2"} <= set(manifest["versions"])
    first, second = manifest["warnings"][-2:]
    assert first == f"Tissue is read by own nnU-Net. {assistant.notice}" and "trained on simulated cases" in first
    assert second.startswith(
        "The survival model cox learned from tissue as the assistant intensity reads it; as own nnU-N"
    )
    assert api.Models().cautions == [] and api.Models().devices == []


def test_assistants_are_chosen_by_name(phantom_case, tmp_path):
    assert choose_assistant().name == assistant_names()[0] == "intensity"
    roi = cut_roi(phantom_case)
    none = choose_assistant("none")
    assert choose_assistant(none.name).name == none.name
    ct = np.where(roi.lesion, 80.0, roi.ct)
    assert set(np.unique(none.segment(roi, ct)[roi.lesion])) == {Tissue.VIABLE}
    with pytest.raises(InputError, match="'wizard' is unknown"):
        choose_assistant("wizard")
    with pytest.raises(InputError, match="neither a bundle"):
        choose_assistant(str(tmp_path))


def test_dice_of_known_overlaps():
    true = np.zeros((10, 10, 10), np.uint8)
    true[:, :5], true[:, 5:8] = Tissue.LIVER, Tissue.VIABLE
    found = true.copy()
    found[:, 5] = Tissue.LIVER
    values = dice(found, true)
    assert values["viable"] == pytest.approx(2 * 200 / 500) and values["liver"] == pytest.approx(2 * 500 / 1100)
    assert values["whole liver"] == 1.0 and np.isnan(values["lipiodol"])
    found[0, 9, :], found[1:5, 9] = 0, Tissue.LIPIODOL
    assert dice(found, true)["lipiodol"] == 0.0


def test_a_perfect_reader_measures_one(cohort):
    class Knowing:
        name = "knowing"

        def segment(self, roi, ct):
            true = next(c for c in loaded if np.array_equal(c.roi.ct, roi.ct))
            return true.tissue if np.array_equal(ct, true.post_ct) else roi.liver.astype(np.uint8)

    rows = cohort.split("test")
    loaded = [cohort.load(row) for row in rows]
    found = measure_assistants(cohort, rows, [Knowing()])["knowing"]
    assert found["true"]["whole lesion"]["value"] == 1.0 and found["true"]["viable"]["cases"] >= 1
    assert found["simulated"]["whole lesion"]["value"] == 0.0


def test_a_cohort_nobody_marked_is_told(cohort, tmp_path):
    copy = shutil.copytree(cohort.folder, tmp_path / "cohort")
    for path in copy.glob("cases/*/tissue.nrrd"):
        path.unlink()
    with pytest.raises(InputError, match="Nobody marked the follow-up CT"):
        write_raw_dataset(read_cohort(copy), AssistantConfig(simulated=0.0), tmp_path / "raw")


@pytest.mark.parametrize(
    "change",
    [
        {"task": "after"},
        {"channels": ("pre", "pre")},
        {"task": "pre", "channels": ("post",)},
        {"patch": 50},
        {"decoder_convolutions": (1,)},
        {"simulated": 1.5},
        {"epochs": 0},
    ],
)
def test_settings_that_do_not_fit_are_refused(change):
    with pytest.raises(InputError):
        AssistantConfig(**change)


def test_checksums_cover_the_plan(trained, tmp_path):
    copy = shutil.copytree(trained / "bundle", tmp_path / "bundle")
    write_checksums(copy, ("configs/metadata.json", "configs/inference.json", "configs/train.yaml", WEIGHTS))
    with pytest.raises(ResourceError, match="was changed"):
        load_network(copy, "cpu")
