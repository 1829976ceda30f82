"""A chat model alone as an arm: one protocol a case, under the rules, and nothing in its place when it fails."""

import json
import pickle
from dataclasses import replace

import pytest

pytest.importorskip("openai", reason="the 'policy' extra is not installed; `make setup` installs it")
from chat_server import Say, serving

from mewm.actions.base import load_action_base
from mewm.clinical import ClinicalFacts
from mewm.errors import InputError
from mewm.policy.policy_only import PolicyOnly, accept_all, policy_only
from mewm.policy.presets import ARMS, PRESETS
from mewm.roi import cut_roi

BASE = load_action_base()


@pytest.fixture(scope="module")
def roi(phantom_case):
    return cut_roi(phantom_case)


def says(drugs, embolics, reason="fits"):
    return Say(json.dumps({"drugs": drugs, "embolics": embolics, "reason": reason}))


def choose(roi, say):
    with serving(say) as server:
        return PolicyOnly(server.endpoint("toy"), accept_all).choose(roi)


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize("stream", [False, True])
def test_every_named_arm_asks_and_is_understood(roi, name, stream, monkeypatch):
    """The shipped configuration of each arm, with its address alone set to the local server."""
    monkeypatch.setenv(PRESETS[name].key.partition(":")[2] or "UNUSED", "sk-test")
    with serving(says(["Epirubicin"], ["Lipiodol", "Gelatin Sponge"])) as server:
        arm = PolicyOnly(replace(PRESETS[name], base_url=server.url, stream=stream), accept_all)
        chosen = arm.choose(roi)
    assert arm.name == f"{name} alone"
    assert chosen.protocol.actions == tuple(BASE.usual(a) for a in ("epirubicin", "lipiodol", "gelatin_sponge"))
    body = server.requests[0].body
    assert body["model"] == PRESETS[name].model
    content = body["messages"][1]["content"]
    assert sum(part["type"] == "image_url" for part in content) == 4
    assert "interventional radiologist" in body["messages"][0]["content"]


def test_rules_have_the_last_word_and_what_was_named_is_kept(roi):
    say = says(["Cisplatin", "Oxaliplatin", "Epirubicin", "Mitomycin"], ["PVA", "Gelatin Sponge", "Wonder Foam"])
    chosen = choose(roi, say)
    assert chosen.protocol.agents == ("cisplatin", "epirubicin", "lipiodol", "pva")
    assert chosen.as_named.agents == (
        "cisplatin", "oxaliplatin", "epirubicin", "mitomycin", "pva", "gelatin_sponge"
    )  # fmt: skip
    assert chosen.unknown == ("Wonder Foam",)
    assert len(chosen.broken) >= 4 and any("platinum" in sentence for sentence in chosen.broken)


def test_beads_stand_alone(roi):
    chosen = choose(roi, says(["LC Bead"], ["Lipiodol"]))
    assert chosen.protocol.agents == ("doxorubicin_eluting_beads",)


@pytest.mark.parametrize(
    "say",
    [Say("no", status=500), Say("no", status=401), Say("{"), says([], []), says(["Sorafenib"], []), Say("x" * 10**7)],
)
def test_nothing_stands_in_for_a_model_that_fails(roi, say):
    chosen = choose(roi, say)
    assert chosen.protocol is None
    assert chosen.failure or not chosen.as_named.actions


def test_acceptance_and_privacy_hold_for_arms_too(roi):
    with serving(says(["Epirubicin"], ["Lipiodol"])) as server:
        endpoint = server.endpoint("toy")
        with pytest.raises(InputError, match="Nothing was sent"):
            policy_only(endpoint, lambda payload: False, roi)
        named = replace(roi, facts=ClinicalFacts(allergies=("Mr. Smith",)))
        with pytest.raises(InputError, match="identify the patient"):
            policy_only(endpoint, accept_all, named)
        assert server.requests == []
        assert policy_only(endpoint, accept_all, roi).agents == ("epirubicin", "lipiodol")


def test_an_arm_can_go_to_another_process():
    arm = PolicyOnly(PRESETS["gpt-4o"], accept_all)
    assert pickle.loads(pickle.dumps(arm)).name == "gpt-4o alone"
