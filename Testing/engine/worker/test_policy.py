"""A chat model as the policy of the engine process: previewed, accepted by digest, sent; never otherwise."""

import json
import os
from pathlib import Path

import pytest
from worker_process import QUICK, WorkerProcess

pytest.importorskip("openai", reason="the 'policy' extra is not installed; `make setup` installs it")
from chat_server import Say, serving

ANSWER = json.dumps({"drugs": [{"agent": "Idarubicin"}], "embolics": [{"agent": "Lipiodol"}], "contraindications": []})


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A chat server and an engine process whose user has named it ``toy``."""
    path = tmp_path_factory.mktemp("settings") / "endpoints.json"
    with serving(Say(ANSWER)) as server:
        path.write_text(json.dumps({"toy": {"base_url": server.url, "model": "m", "retries": 0}}), encoding="utf-8")
        before = os.environ.get("MEWM_ENDPOINTS")
        os.environ["MEWM_ENDPOINTS"] = str(path)
        try:
            with WorkerProcess() as process:
                assert process.event()["event"] == "ready"
                yield server, process
        finally:
            os.environ.pop("MEWM_ENDPOINTS")
            if before is not None:
                os.environ["MEWM_ENDPOINTS"] = before


def test_what_was_previewed_is_what_can_be_sent(told, case, tmp_path):
    server, worker = told
    assert {"guideline", "paper", "toy"} <= set(worker.result("describe")["policies"])
    asked = {"case": case, "goal": "few drugs", "policy": "toy", "settings": QUICK}
    payload = worker.result("preview", **asked, folder=str(tmp_path / "payload"))
    assert payload["endpoints"][0]["local"] and "few drugs" in payload["text"]
    assert all(Path(one["path"]).is_file() for one in payload["pictures"]) and Path(payload["page"]).is_file()
    run = {"run": str(tmp_path / "run"), "keep": 1}
    error = worker.error("explore", **asked, **run)
    assert error["kind"] == "input" and "nothing was sent" in error["message"]
    other = {**asked, "goal": "many drugs"}
    error = worker.error("explore", **other, **run, send_accepted=payload["digest"])
    assert "differ from what was shown" in error["message"]
    assert server.requests == [] and not (tmp_path / "run").exists()
    result = worker.result("explore", **asked, **run, send_accepted=payload["digest"])
    assert len(server.requests) == 1 and result["policy"] == "vision-language (toy)"


def test_a_case_that_changed_since_the_preview_is_not_what_was_accepted(told, case, tmp_path):
    import SimpleITK as sitk

    server, worker = told
    ct = sitk.ReadImage(case["ct"])
    changing = {**case, "ct": str(tmp_path / "ct.nrrd")}
    sitk.WriteImage(ct, changing["ct"])
    asked = {"case": changing, "policy": "toy", "settings": QUICK}
    payload = worker.result("preview", **asked, folder=str(tmp_path / "payload"))
    sitk.WriteImage(sitk.Cast(ct + 25, ct.GetPixelID()), changing["ct"])
    sent = len(server.requests)
    error = worker.error("explore", **asked, run=str(tmp_path / "run"), send_accepted=payload["digest"])
    assert "differ from what was shown" in error["message"] and len(server.requests) == sent


@pytest.mark.parametrize(
    ("params", "kind", "words"),
    [
        ({"send_accepted": "0123456789ab"}, "request", "need a policy model"),
        ({"keep_exchange": True}, "request", "need a policy model"),
        ({"policy": "gpt5", "send_accepted": "0123456789ab"}, "input", "no endpoint 'gpt5'"),
        ({"policy": "toy", "api_key": "sk-1"}, "input", "nothing was accepted"),
    ],
)
def test_a_wrong_choice_is_one_sentence_and_sends_nothing(told, case, tmp_path, params, kind, words):
    server, worker = told
    sent = len(server.requests)
    error = worker.error("explore", case=case, run=str(tmp_path / "run"), settings=QUICK, **params)
    assert error["kind"] == kind and words in error["message"] and len(server.requests) == sent
    assert not (tmp_path / "run").exists()


def test_a_sentence_is_read_and_unknown_names_are_told_as_written(told):
    _, worker = told
    read = worker.result("read", text="TACE with Wonderdrug 5 mg in 10 ml of lipiodol; no epirubicin was given.")
    assert (read["protocol"], read["unknown"]) == ("Lipiodol 10 ml", ["Wonderdrug"])
    assert any("epirubicin" in hint for hint in read["hints"])
    assert {place["name"] for place in read["places"]} >= {"Wonderdrug", "lipiodol"}
    assert worker.error("read", text=" ")["kind"] == "input"
