"""Runs of the engine process as its caller sees them: events, files, what is added later."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from worker_process import OWN, QUICK, TWO_PLATINUMS, WorkerProcess, of_kind


def read(path):
    return sitk.ReadImage(str(path))


def test_rows_stream_before_the_answer_and_better_numbers_keep_their_name(explored):
    events, result, _ = explored
    rows = [event["row"] for event in of_kind(events, "scored")]
    final = {row["protocol_id"]: row for row in result["rows"]}
    assert set(final) <= {row["protocol_id"] for row in rows}
    assert all(row["rank"] is None for row in rows)
    last = {row["protocol_id"]: row for row in rows}
    for name, row in final.items():
        assert last[name]["replicas"] == row["replicas"]
        assert last[name]["survival_curve"] == row["survival_curve"]
    assert [row["rank"] for row in result["rows"]] == list(range(1, len(final) + 1))
    assert all(row["complete"] for row in result["rows"])
    risks = [row["risk"] for row in result["rows"]]
    assert risks == sorted(risks)


def test_progress_never_falls_and_names_its_stage(explored):
    progress = of_kind(explored[0], "progress")
    fractions = [event["fraction"] for event in progress]
    assert fractions == sorted(fractions) and fractions[0] >= 0 and fractions[-1] < 1
    assert all(event["stage"] for event in progress)
    assert any(event["left_s"] is not None for event in progress)
    assert progress[0]["stage"] == "Reading the case"


def test_the_first_volume_comes_before_the_first_row(explored):
    kinds = [event["event"] for event in explored[0] if event["event"] in ("simulated", "scored")]
    assert kinds[0] == "simulated"


def test_a_streamed_box_is_the_simulated_ct_where_it_lies_and_the_ct_elsewhere(explored, case):
    events, result, folder = explored
    ct = read(case["ct"])
    shown = {event["protocol_id"]: event for event in of_kind(events, "simulated")}
    kept = [row for row in result["rows"] if row["folder"]]
    assert {row["protocol_id"] for row in kept} <= set(shown)
    for row in kept:
        event = shown[row["protocol_id"]]
        whole = read(folder / row["folder"] / "simulated_ct.nrrd")
        box = read(event["files"]["ct"])
        index, size = event["box"]["index"], event["box"]["size"]
        np.testing.assert_allclose(box.GetOrigin(), ct.TransformIndexToPhysicalPoint(index), atol=1e-4)
        assert box.GetSize() == tuple(size) and box.GetPixelID() == ct.GetPixelID()
        assert sitk.Hash(sitk.Paste(ct, box, size, [0, 0, 0], index)) == sitk.Hash(whole)
        tissue = read(event["files"]["tissue"])
        part = sitk.RegionOfInterest(read(folder / row["folder"] / "tissue.nrrd"), size, index)
        assert sitk.Hash(tissue) == sitk.Hash(part)


def test_an_overridden_protocol_is_ranked_and_marked(explored):
    (row,) = [row for row in explored[1]["rows"] if row["origin"] == "yours"]
    assert row["protocol"] == TWO_PLATINUMS and row["overridden"] and row["folder"]
    assert "platinum" in row["violations"].lower()
    assert row["findings"][0]["severity"] == "excluded"


def test_the_run_folder_is_the_one_that_others_read(explored):
    from MeWMModuleLib.run_folder import read_run

    _, result, folder = explored
    run = read_run(folder)
    assert [row["protocol_id"] for row in run.ranking] == [row["protocol_id"] for row in result["rows"]]
    assert run.manifest["lesion"] == result["lesion"]


def test_a_protocol_added_later_is_what_it_would_have_been_in_the_first_place(worker, explored, case, tmp_path):
    _, before, _ = explored
    both = [{"protocol": TWO_PLATINUMS, "override_rules": True}, {"protocol": OWN}]
    settings = {"case": case, "settings": QUICK, "keep": 2}
    at_once = worker.result("explore", run=str(tmp_path / "both"), own_protocols=both, **settings)
    later = worker.result("explore", run=str(tmp_path / "later"), own_protocols=both[:1], **settings)
    assert [row["risk"] for row in later["rows"]] == [row["risk"] for row in before["rows"]]
    later = worker.result("simulate", protocol=OWN, add_to=str(tmp_path / "later"))
    assert [(row["rank"], row["protocol"], row["risk"]) for row in later["rows"]] == [
        (row["rank"], row["protocol"], row["risk"]) for row in at_once["rows"]
    ]
    (row,) = [row for row in later["rows"] if row["protocol_id"] == later["protocol_id"]]
    assert row["origin"] == "yours"
    assert (tmp_path / "later" / row["folder"] / "simulated_ct.nrrd").is_file()


def test_another_process_continues_a_run_on_disk(worker, explored, case, tmp_path):
    folder = tmp_path / "run"
    first = worker.result("explore", case=case, run=str(folder), settings=QUICK, keep=1)
    here = worker.result("simulate", protocol=OWN, case=case, run=str(tmp_path / "one"), settings={"replicas": 2})
    with WorkerProcess() as other:
        there = other.result("simulate", protocol=OWN, add_to=str(folder))
        without = next(row for row in there["rows"] if not row["folder"])
        filled = other.result("volumes", run=str(folder), protocol_id=without["protocol_id"])
    (added,) = [row for row in there["rows"] if row["protocol_id"] == here["protocol_id"]]
    assert added["risk"] == here["rows"][0]["risk"]
    assert len(there["rows"]) == len(first["rows"]) + 1
    (row,) = [row for row in filled["rows"] if row["protocol_id"] == without["protocol_id"]]
    assert row["risk"] == without["risk"] and row["origin"] == "search"
    assert (folder / row["folder"] / "simulated_ct.nrrd").is_file()
    numbers = json.loads((folder / row["folder"] / "protocol.json").read_text(encoding="utf-8"))
    assert numbers["risk"] == row["risk"] and numbers["replicas"] == row["replicas"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"models": {"dynamics": "diffusion", "assistant": "intensity", "survival": "cox"}}, "models"),
        ({"model_hashes": {"survival": "0" * 64}}, "models"),
        ({"versions": {"mewm": "0.0.1"}}, "0.0.1"),
    ],
)
def test_a_run_of_other_models_is_not_mixed_with_these(worker, explored, tmp_path, change, told):
    folder = tmp_path / "run"
    shutil.copytree(explored[2], folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | change), encoding="utf-8")
    error = worker.error("simulate", protocol=OWN, add_to=str(folder))
    assert error["kind"] == "input" and told in error["message"] and "explore the case again" in error["message"]


def test_a_run_whose_protocols_another_policy_proposed_is_continued(worker, explored, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(explored[2], folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["models"]["policy"] = "a chat model"
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert worker.result("simulate", protocol=OWN, add_to=str(folder))["rows"]


def test_export_writes_the_chosen_protocol(worker, explored, tmp_path):
    *_, folder = explored
    told = worker.result("export", run=str(folder), rank=1, out=str(tmp_path / "best.zip"))
    assert told["out"] == str(tmp_path / "best.zip") and told["pdf"] in told["files"]
    assert (tmp_path / "best.zip").is_file()
    wrong = worker.error("export", run=str(folder), rank=99, out=str(tmp_path / "other"))
    assert wrong["kind"] == "input" and "99" in wrong["message"]
    picture = {"path": "relative.png", "caption": ""}
    error = worker.error("export", run=str(folder), rank=1, out=str(tmp_path / "other"), pictures=[picture])
    assert error["kind"] == "request" and "absolute" in error["message"]


def test_the_sample_is_a_case_that_can_be_simulated(worker, tmp_path):
    told = worker.result("sample", folder=str(tmp_path / "sample"))
    assert "simulated" in told["notice"].lower() and told["name"].startswith("simulated")
    case = {key: told[key] for key in ("ct", "lesion", "liver", "facts")}
    settings = {"replicas": 1}
    run = str(tmp_path / "run")
    result = worker.result("simulate", case=case, run=run, name=told["name"], protocol=OWN, settings=settings)
    assert result["case_name"] == told["name"]
