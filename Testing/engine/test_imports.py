"""`import mewm` and `mewm --help` stay light."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "tqdm",
    "torch",
    "monai",
    "numpy",
    "scipy",
    "SimpleITK",
    "pandas",
    "lifelines",
    "vtk",
    "slicer",
    "openai",
    "nnunetv2",
)


@pytest.mark.parametrize("code", ["import mewm", "from mewm.cli import build_parser; build_parser()"])
def test_nothing_heavy_is_loaded_before_it_is_used(code):
    check = f"{code}; import json, sys; print(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []


def test_scoring_a_case_needs_neither_torch_nor_the_training_extra():
    check = "import mewm.api, json, sys; print(json.dumps([n for n in ('torch', 'lifelines', 'pandas', 'vtk') " + (
        "if n in sys.modules]))"
    )
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []
