"""Endpoints and keys: names, the user's file, and a key that stays where it belongs."""

import json
import pickle
import sys
import types

import pytest

from mewm.errors import InputError
from mewm.policy import keys
from mewm.policy.endpoint import Endpoint, make_endpoint
from mewm.policy.keys import Key, key_state, read_key, store_key
from mewm.policy.presets import ARMS, PRESETS, find_policy, read_endpoints

SECRET = "sk-0123456789abcdef"
PLAIN = {"base_url": "https://host/v1", "model": "m"}


@pytest.fixture(autouse=True)
def no_user_file(monkeypatch, tmp_path):
    monkeypatch.delenv("MEWM_ENDPOINTS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))


@pytest.fixture()
def user_file(monkeypatch, tmp_path):
    def write(value):
        path = tmp_path / "endpoints.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        monkeypatch.setenv("MEWM_ENDPOINTS", str(path))

    return write


@pytest.fixture()
def keyring(monkeypatch):
    """A keyring in memory."""
    kept = {}
    errors = types.ModuleType("keyring.errors")
    errors.KeyringError = type("KeyringError", (Exception,), {})
    fake = types.ModuleType("keyring")
    fake.errors = errors
    fake.get_password = lambda service, name: kept.get((service, name))
    fake.set_password = lambda service, name, value: kept.update({(service, name): value})
    monkeypatch.setitem(sys.modules, "keyring", fake)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return kept


def test_shipped_endpoints_hold_no_key_and_only_local_ones_go_without():
    assert set(ARMS) <= set(PRESETS)
    for name, endpoint in PRESETS.items():
        assert endpoint.name == name
        assert endpoint.key == "none" if endpoint.is_local else endpoint.key.startswith("env:")
        assert endpoint.is_local or endpoint.base_url.startswith("https://")
    assert [e.name for e in find_policy("paper")] == ["gpt-4o", "deepseek-r1"]
    assert find_policy("ollama")[1] is None


def test_the_users_own_endpoints(user_file):
    user_file(
        {
            "ward": {"base_url": "http://10.0.0.5:8000/v1", "model": "vlm", "allow_http": True},
            "azure": {"preset": "azure", "base_url": "https://ward.openai.azure.com", "model": "gpt-4o-ward"},
            "gpt-4o": {"preset": "gpt-4o", "timeout_s": 20, "stream": True},
        }
    )
    found = read_endpoints()
    assert found["ward"].host == "10.0.0.5:8000" and not found["ward"].is_local
    assert (found["azure"].api, found["azure"].key) == ("azure", "env:AZURE_OPENAI_API_KEY")
    assert (found["gpt-4o"].timeout_s, found["gpt-4o"].model) == (20, "gpt-4o")
    assert find_policy("ward + deepseek-r1")[1] == PRESETS["deepseek-r1"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"model": "m"}, "no 'base_url'"),
        ({"base_url": "https://host/v1"}, "no 'model'"),
        ({**PLAIN, "base_url": "host/v1"}, "not usable"),
        ({**PLAIN, "base_url": "https://[/v1"}, "not usable"),
        ({**PLAIN, "base_url": "https://me:pass@host/v1"}, "carries a user"),
        ({**PLAIN, "base_url": "https://host/v1?key=1"}, "carries a user"),
        ({**PLAIN, "base_url": "http://host/v1"}, "unencrypted"),
        ({**PLAIN, "colour": 1}, "unknown entry 'colour'"),
        ({**PLAIN, "api_key": SECRET}, "never stands in a file"),
        ({**PLAIN, "key": SECRET}, "names no source"),
        ({**PLAIN, "timeout_s": 0}, "timeout_s 0"),
        ({**PLAIN, "timeout_s": "5"}, "timeout_s '5'"),
        ({**PLAIN, "retries": 1.5}, "retries 1.5"),
        ({**PLAIN, "retries": None}, "no value for 'retries'"),
        ({**PLAIN, "stream": "no"}, "true or false"),
        ({**PLAIN, "structured": "xml"}, "choose one of schema"),
        ({**PLAIN, "seed": 0.5}, "whole number"),
        ({**PLAIN, "model": " "}, "give text"),
        ({**PLAIN, "api": "azure"}, "no api_version"),
        ([], "not a JSON object"),
    ],
)
def test_a_wrong_endpoint_is_told_in_one_sentence_without_its_key(values, told):
    with pytest.raises(InputError) as caught:
        make_endpoint("mine", values)
    assert told in str(caught.value)
    assert SECRET not in str(caught.value) and "pass@" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [("{", "cannot be read as JSON"), ("[]", "no JSON object"), ({"a": {"preset": "gpt-5o"}}, "builds on 'gpt-5o'")],
)
def test_a_wrong_file_is_told(user_file, content, told):
    user_file(content)
    with pytest.raises(InputError, match=told):
        read_endpoints()


def test_a_missing_file_that_was_named_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("MEWM_ENDPOINTS", str(tmp_path / "gone.json"))
    with pytest.raises(InputError, match="does not exist"):
        read_endpoints()


@pytest.mark.parametrize(
    ("name", "told"),
    [("gpt4o", "did you mean gpt-4o"), ("a+b+c", "names 3 endpoints"), ("deepseek-r1", "reads no pictures")],
)
def test_a_wrong_name_is_told(name, told):
    with pytest.raises(InputError, match=told):
        find_policy(name)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:11434/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://[::1]:8000/v1", True),
        ("https://localhost.example.org/v1", False),
        ("https://127.0.0.1.example.org/v1", False),
    ],
)
def test_which_addresses_stay_on_this_machine(url, local):
    assert make_endpoint("e", {"base_url": url, "model": "m"}).is_local is local


def test_the_environment_comes_first_then_the_keyring(monkeypatch, keyring):
    endpoint = make_endpoint("mine", {**PLAIN, "key": "env:MINE_KEY"})
    monkeypatch.delenv("MINE_KEY", raising=False)
    assert key_state(endpoint) == "not in the environment"
    with pytest.raises(InputError, match="MINE_KEY, or store it"):
        read_key(endpoint)
    store_key(endpoint, f" {SECRET}\n")
    assert keyring == {(keys.SERVICE, "mine"): SECRET}
    assert read_key(endpoint).reveal() == SECRET
    monkeypatch.setenv("MINE_KEY", "from-the-environment")
    assert read_key(endpoint).reveal() == "from-the-environment"
    assert key_state(endpoint) == "environment"


def test_a_keyring_entry_of_another_name(keyring):
    endpoint = make_endpoint("mine", {**PLAIN, "key": "keyring:shared"})
    keyring[keys.SERVICE, "shared"] = SECRET
    assert read_key(endpoint).reveal() == SECRET
    assert key_state(endpoint) == "keyring"
    with pytest.raises(InputError, match="is empty"):
        store_key(endpoint, " ")
    with pytest.raises(InputError, match="needs no key"):
        store_key(PRESETS["ollama"], SECRET)


def test_a_broken_keyring_is_no_key(monkeypatch, keyring):
    def broken(service, name):
        raise sys.modules["keyring.errors"].KeyringError(SECRET)

    monkeypatch.setattr(sys.modules["keyring"], "get_password", broken)
    monkeypatch.setattr(sys.modules["keyring"], "set_password", lambda *_: broken("", ""))
    endpoint = make_endpoint("mine", {**PLAIN, "key": "keyring:x"})
    with pytest.raises(InputError, match="no key for the endpoint"):
        read_key(endpoint)
    with pytest.raises(InputError, match="took no key") as caught:
        store_key(endpoint, SECRET)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", ["ключ-ключ", "two words", "line\nbreak"])
def test_a_key_that_cannot_be_one_is_told_without_repeating_it(monkeypatch, value):
    monkeypatch.setenv("MINE_KEY", value)
    with pytest.raises(InputError) as caught:
        read_key(make_endpoint("mine", {**PLAIN, "key": "env:MINE_KEY"}))
    assert value not in str(caught.value)


def test_a_key_does_not_show_itself():
    key = Key(SECRET)
    assert SECRET not in f"{key} {key!r} {[key]}"
    with pytest.raises(TypeError):
        pickle.dumps(key)
    assert key.redact(f"a {SECRET} b") == "a *** b"


def test_no_endpoint_can_hold_a_key():
    assert SECRET not in repr(Endpoint("e", "https://host/v1", "m", "env:A"))
    with pytest.raises(InputError):
        Endpoint("e", "https://host/v1", "m", SECRET)
