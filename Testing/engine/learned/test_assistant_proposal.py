"""Masks that a network proposes where nobody has drawn them."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from tiny_assistant import TINY, StandIn, tiny_cohort, train_command

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")
pytest.importorskip("nnunetv2", reason="the 'learned' extra is not installed")

from mewm import api  # noqa: E402
from mewm.assistant.proposal import propose_masks  # noqa: E402
from mewm.cli import main  # noqa: E402
from mewm.errors import InputError  # noqa: E402
from mewm.run import read_manifest  # noqa: E402


@pytest.fixture(scope="module")
def proposing(tmp_path_factory):
    """The bundle of a tiny nnU-Net that proposes masks."""
    folder = tmp_path_factory.mktemp("pre")
    cohort = tiny_cohort(folder / "cohort")
    text = TINY.format(task="pre", channels="[pre]", simulated=0, spacing=4, epochs=3, iterations=25)
    given = train_command(cohort, folder, text, "--task", "pre", "--out", str(folder / "bundle"), "--test-cases", "1")
    assert main(given) == 0
    return folder / "bundle"


def test_masks_are_proposed_marked_and_recognised_later(proposing, phantom_case, tmp_path, capsys):
    ct = tmp_path / "ct.nrrd"
    sitk.WriteImage(phantom_case.ct, str(ct))
    given = ["propose-masks", "--ct", str(ct), "--model", str(proposing), "--device", "cpu", "--out"]
    assert main([*given, str(tmp_path / "masks"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["proposed"] is True and "liver" in record["masks"] and "check every outline" in record["notice"]
    liver = tmp_path / "masks" / "proposed_liver.nrrd"
    assert sitk.ReadImage(str(liver)).GetMetaData("mewm_proposed") == record["network"]["sha256"][:16]
    # Drawn by a person the tumour has no mark, the proposed liver keeps its own under any name.
    renamed, tumour = tmp_path / "l.nrrd", tmp_path / "tumour.nrrd"
    liver.rename(renamed)
    sitk.WriteImage(phantom_case.lesion, str(tumour))
    both = sitk.Or(sitk.ReadImage(str(renamed)), phantom_case.lesion)
    both.SetMetaData("mewm_proposed", record["network"]["sha256"][:16])
    sitk.WriteImage(both, str(renamed))
    case = api.read_case(ct, tumour, liver=renamed)
    assert case.proposed == {"liver": record["network"]["sha256"][:16]}
    assert any("liver mask was proposed by a network" in sentence for sentence in case.warnings)
    found = api.simulate(case, "Lobaplatin 30 mg; Lipiodol 10 ml", replicas=1)
    manifest = read_manifest(api.write_run(found, tmp_path / "run"))
    assert manifest["proposed_masks"] == case.proposed
    assert main([*given, str(tmp_path / "masks")]) == 2


def test_a_lesion_left_out_names_the_command_that_proposes_one(capsys, tmp_path):
    assert main(["explore", "--ct", str(tmp_path / "ct.nrrd")]) == 2
    assert "mewm propose-masks --model FOLDER" in capsys.readouterr().err


def test_a_name_marks_a_mask_where_the_format_keeps_no_header(phantom_case, tmp_path):
    ct, mask = tmp_path / "ct.nii.gz", tmp_path / "proposed_tumour.nii.gz"
    sitk.WriteImage(phantom_case.ct, str(ct))
    sitk.WriteImage(phantom_case.lesion, str(mask))
    assert api.read_case(ct, mask).proposed == {"lesion": "unknown"}


def test_a_proposal_lies_where_the_network_saw_it_whatever_the_orientation(phantoms):
    """The stand-in calls whatever is bright tumour and the body liver; the lesion's place must survive the way back."""
    turned = phantoms.make_phantom_case(spacing=(1.2, 1.8, 3.0), direction=[0, 1, 0, 0, 0, -1, -1, 0, 0])
    lesion = sitk.GetArrayFromImage(turned.lesion) > 0
    bright = sitk.GetArrayFromImage(turned.ct)
    bright[lesion] = 300
    bright[~lesion] = np.minimum(bright[~lesion], 100)
    ct = sitk.GetImageFromArray(bright)
    ct.CopyInformation(turned.ct)
    answer = lambda seen: np.where(seen > 200, 2, seen > -300).astype(np.uint8)  # noqa: E731
    masks = propose_masks(ct, StandIn({"background": 0, "liver": 1, "tumour": 2}, answer))
    found = sitk.GetArrayFromImage(masks.tumour) > 0
    assert 2 * np.count_nonzero(found & lesion) / (np.count_nonzero(found) + np.count_nonzero(lesion)) > 0.85
    assert masks.tumour.GetDirection() == ct.GetDirection() and masks.tumour.GetSize() == ct.GetSize()


def test_a_ct_without_liver_or_tumour_is_told(phantom_case):
    labels = {"background": 0, "liver": 1, "tumour": 2}
    only = propose_masks(phantom_case.ct, StandIn(labels, lambda ct: (ct > -300).astype(np.uint8)))
    assert only.tumour is None and any("found no tumour" in sentence for sentence in only.warnings)
    assert not any("litres" in sentence for sentence in only.warnings)
    large = sitk.Image(phantom_case.ct)
    large.SetSpacing([2.5 * edge for edge in large.GetSpacing()])
    whole_body = propose_masks(large, StandIn(labels, lambda ct: (ct > -300).astype(np.uint8)))
    assert any("litres, more than a liver does" in sentence for sentence in whole_body.warnings)
    with pytest.raises(InputError, match="found no liver"):
        propose_masks(phantom_case.ct, StandIn(labels, lambda ct: np.zeros(ct.shape, np.uint8)))
