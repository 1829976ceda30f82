import json

import pytest

from mewm.errors import InputError
from MeWMModuleLib.run_folder import read_run


def _edit(folder, **changes):
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest.update(changes)
    file.write_text(json.dumps(manifest), encoding="utf-8")


def test_a_complete_run_is_read_in_the_order_of_its_ranks(run_folder, phantom_run):
    manifest = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))
    _edit(run_folder, protocols=manifest["protocols"][::-1])
    run = read_run(run_folder)
    assert [kept.rank for kept in run.protocols] == [1, 2]
    assert run.protocols[0].text == phantom_run.PROTOCOLS[0][1]
    assert run.protocols[0].row["risk"] == "-1.2"
    assert len(run.ranking) == 3
    assert run.centre_lps == tuple(manifest["lesion"]["centre_lps"])
    assert run.notice == phantom_run.NOTICE


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="no run folder"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"manifest\.json"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "incomplete"}, "incomplete"),
        ({"schema": "mewm-run/9"}, "mewm-run/9"),
        ({"lesion": {"diameter_mm": 20}}, "centre_lps"),
        ({"protocols": [{"rank": "first", "text": "", "folder": "protocols"}]}, "first"),
        ({"protocols": [{"rank": 1, "text": "x", "folder": "../elsewhere"}]}, "outside itself"),
        ({"protocols": [{"rank": 1, "text": "x", "folder": "protocols/99_gone"}]}, "99_gone"),
    ],
)
def test_a_bad_manifest_is_refused_in_one_sentence(run_folder, changes, words):
    _edit(run_folder, **changes)
    with pytest.raises(InputError, match=words) as caught:
        read_run(run_folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["pre_ct.nrrd", "lesion.nrrd", "ranking.csv"])
def test_a_missing_file_is_named(run_folder, name):
    (run_folder / name).unlink()
    with pytest.raises(InputError, match=name):
        read_run(run_folder)
