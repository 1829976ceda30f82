"""What a training's configuration and environment are refused for, each in one sentence."""

import pytest

from mewm.errors import InputError
from mewm.training.config import read_config
from mewm.training.one_process import require_one_process

pytest.importorskip("yaml", reason="the 'learned' extra is not installed")


def test_a_file_that_is_not_there_is_told_without_the_systems_numbers(tmp_path):
    with pytest.raises(InputError) as told:
        read_config(tmp_path / "none.yaml", dict)
    assert "cannot be read (No such file or directory); check the path" in str(told.value)
    assert "Errno" not in str(told.value)


def test_several_processes_are_refused_where_one_trains(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    require_one_process("survival model")
    monkeypatch.setenv("WORLD_SIZE", "1")
    require_one_process("survival model")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(InputError, match="survival model is trained by one process, and torchrun started 4; give"):
        require_one_process("survival model")
