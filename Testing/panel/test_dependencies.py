"""What the panel installs: nothing without a yes, and the versions that the project pins."""

import re
import subprocess
import sys
import types
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from mewm.errors import MewmError
from MeWMModuleLib import dependencies, sample_data
from MeWMModuleLib.dependencies import (
    FOR_THE_PAGE,
    LEARNED_REQUIREMENTS,
    REQUIREMENTS,
    SIZES_MB,
    Dependencies,
    slicer_install,
)

REPOSITORY = Path(__file__).resolve().parents[2]
SLICER = {"numpy": "2.2.0", "scipy": "1.17.0", "SimpleITK": "2.5.0", "pillow": "11.0"}


class Slicer:
    """A Slicer with some packages, a user who answers, and a package index that may be out of reach."""

    def __init__(self, packages, answers, fails=0):
        self.packages = {name.lower(): version for name, version in packages.items()}
        self.answers = list(answers)
        self.fails = fails
        self.asked = []
        self.installed = []
        self.dependencies = Dependencies(self.ask, self.install, self.version)

    def ask(self, text):
        self.asked.append(text)
        return self.answers.pop(0)

    def install(self, requirements):
        if self.fails:
            self.fails -= 1
            raise subprocess.CalledProcessError(1, "pip install")
        self.installed += requirements
        for requirement in map(Requirement, requirements):
            pins = [spec.version for spec in requirement.specifier if spec.operator != "<"]
            self.packages[requirement.name.lower()] = pins[0]

    def version(self, name):
        try:
            return self.packages[name.lower()]
        except KeyError:
            raise metadata.PackageNotFoundError(name) from None


def test_a_slicer_that_has_everything_is_asked_nothing():
    slicer = Slicer({**SLICER, "fpdf2": "2.8.9", "defusedxml": "0.7.1", "fonttools": "4.68.0"}, [])
    slicer.dependencies.ensure()
    assert slicer.asked == slicer.installed == []


def test_the_question_names_packages_size_and_place():
    slicer = Slicer(SLICER, [True])
    slicer.dependencies.ensure()
    (text,) = slicer.asked
    for part in ("fpdf2==2.8.9", "fonttools", "34 MB", "site-packages", "PyPI", "PDF"):
        assert part in text
    assert [Requirement(line).name for line in slicer.installed] == ["fpdf2", "defusedxml", "fonttools"]
    slicer.dependencies.ensure()
    assert len(slicer.asked) == 1


def test_no_to_the_pdf_is_a_no_for_the_session_and_stops_nothing():
    slicer = Slicer(SLICER, [False])
    slicer.dependencies.ensure()
    slicer.dependencies.ensure()
    assert len(slicer.asked) == 1 and slicer.installed == []


def test_no_to_what_the_engine_needs_is_told_and_asked_again():
    slicer = Slicer({"numpy": "2.2.0"}, [False, True])
    with pytest.raises(MewmError, match="Nothing was installed"):
        slicer.dependencies.ensure()
    slicer.dependencies.ensure()
    assert len(slicer.asked) == 2 and "SimpleITK>=2.4" in slicer.installed


def test_after_a_failed_installation_the_user_can_try_again():
    slicer = Slicer({"numpy": "2.2.0"}, [True, True], fails=1)
    with pytest.raises(MewmError, match="try again") as told:
        slicer.dependencies.ensure()
    assert "offline.md" in str(told.value)
    slicer.dependencies.ensure()
    assert slicer.installed


@pytest.mark.parametrize("error", [subprocess.CalledProcessError(1, "pip install"), MewmError("Slicer is older.")])
def test_where_the_pdf_packages_cannot_be_installed_the_run_goes_on(error):
    slicer = Slicer(SLICER, [])

    def fail(requirements):
        raise error

    asked = []
    offline = Dependencies(lambda text: asked.append(text) or True, fail, slicer.version)
    offline.ensure()
    offline.ensure()
    assert len(asked) == 1


def test_an_installation_that_brings_too_little_is_told():
    slicer = Slicer({}, [])
    wanting = Dependencies(lambda text: True, lambda requirements: None, slicer.version)
    with pytest.raises(MewmError, match="restart Slicer"):
        wanting.ensure()


def test_in_a_prepared_python_nothing_is_installed():
    slicer = Slicer({}, [])
    slicer.dependencies.ensure("/opt/mewm")
    assert slicer.asked == []


def test_a_learned_model_is_told_its_size_and_asked_for_again_until_it_is_there():
    page = {"fpdf2": "2.8.9", "defusedxml": "0.7.1", "fonttools": "4.68.0"}
    slicer = Slicer({**SLICER, **page}, [False, True])
    slicer.dependencies.ensure()
    assert slicer.asked == []
    with pytest.raises(MewmError, match="choose the models that need no PyTorch"):
        slicer.dependencies.ensure(learned=True)
    slicer.dependencies.ensure(learned=True)
    assert "PyTorch" in slicer.asked[-1] and "5.4 GB" in slicer.asked[-1]
    assert "torch<2.15,>=2.4" in slicer.installed


def test_the_requirements_of_the_learned_models_are_the_projects():
    tomllib = pytest.importorskip("tomllib", reason="Python before 3.11 has no tomllib")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = {Requirement(line) for line in project["optional-dependencies"]["learned"]}
    lines = LEARNED_REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    learned = {Requirement(line) for line in lines if line and not line.startswith("#")}
    assert learned <= extra and {requirement.name for requirement in learned} <= SIZES_MB.keys()


def test_an_older_numpy_counts_as_missing():
    slicer = Slicer({**SLICER, "numpy": "1.26.4"}, [True])
    slicer.dependencies.ensure()
    assert "numpy>=2.0" in slicer.installed


def test_slicer_installs_with_its_own_window_and_without_a_second_question(monkeypatch):
    calls = []
    slicer = types.ModuleType("slicer")
    slicer.packaging = types.ModuleType("slicer.packaging")
    slicer.packaging.pip_ensure = lambda *args, **kwargs: calls.append((args, kwargs))
    monkeypatch.setitem(sys.modules, "slicer", slicer)
    slicer_install(["fpdf2==2.8.9"])
    assert calls == [((["fpdf2==2.8.9"],), {"prompt_install": False, "requester": "MeWM"})]


@pytest.mark.parametrize("answer", [object(), None])
def test_pytorch_comes_by_its_extension_where_that_is_installed(monkeypatch, answer):
    calls = []
    slicer = types.ModuleType("slicer")
    slicer.packaging = types.ModuleType("slicer.packaging")
    slicer.packaging.pip_ensure = lambda requirements, **_options: calls.append(requirements)
    utils = types.ModuleType("PyTorchUtils")
    utils.PyTorchUtilsLogic = lambda: types.SimpleNamespace(installTorch=lambda **asked: calls.append(asked) or answer)
    monkeypatch.setitem(sys.modules, "slicer", slicer)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", utils)
    wanted = ["torch>=2.4,<2.15", "torchvision>=0.19", "monai>=1.5"]
    asked = {
        "askConfirmation": False,
        "torchVersionRequirement": "<2.15,>=2.4",
        "torchvisionVersionRequirement": ">=0.19",
    }
    if answer is None:
        with pytest.raises(MewmError, match="did not install PyTorch"):
            slicer_install(wanted)
        assert calls == [asked]
    else:
        slicer_install(wanted)
        assert calls == [asked, ["monai>=1.5"]]


def test_an_older_slicer_is_told_so(monkeypatch):
    slicer = types.ModuleType("slicer")
    slicer.app = types.SimpleNamespace(applicationVersion="5.8.1")
    monkeypatch.setitem(sys.modules, "slicer", slicer)
    with pytest.raises(MewmError, match=r"Slicer 5\.8\.1 is older than 5\.12"):
        slicer_install(["fpdf2==2.8.9"])


def pins():
    """Versions of constraints.txt for Slicer's Python 3.12."""
    found = {}
    for line in (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines():
        requirement = Requirement(line)
        environment = default_environment() | {"python_version": "3.12", "python_full_version": "3.12.10"}
        if requirement.marker is None or requirement.marker.evaluate(environment):
            found[requirement.name.lower()] = next(iter(requirement.specifier)).version
    return found


def required():
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_the_requirements_are_the_projects_pins():
    for requirement in required():
        pinned = pins()[requirement.name.lower()]
        if requirement.name.lower() not in FOR_THE_PAGE - {"pillow"}:
            assert requirement.specifier.contains(pinned)
        else:
            assert str(requirement.specifier) == f"=={pinned}"
        assert requirement.name.lower() in SIZES_MB


def test_the_requirements_cover_what_the_engine_imports():
    code = (
        "import sys; before = set(sys.modules); import mewm.worker.runs, mewm.worker.machine, mewm.phantom, "
        "mewm.export.page, mewm.export.pictures; "
        "print(*{n.split('.')[0] for n in set(sys.modules) - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split()) - sys.stdlib_module_names
    names = {"PIL": "pillow", "fpdf": "fpdf2", "fontTools": "fonttools"}
    known = metadata.packages_distributions()
    packages = {names.get(name, name).lower() for name in imported if name in known or name in names}
    # fpdf2, defusedxml and numpy use these where they are, and do without.
    packages -= {"mewm", "mewmmodulelib", "lxml", "cryptography", "_cffi_backend", "charset_normalizer"}
    assert packages <= {requirement.name.lower() for requirement in required()}


def test_the_offline_page_states_the_same_versions():
    text = (REPOSITORY / "docs" / "offline.md").read_text(encoding="utf-8")
    for requirement in required():
        if str(requirement.specifier).startswith("=="):
            assert text.count(str(requirement)) == 2, requirement


def test_importing_the_panels_parts_asks_and_installs_nothing():
    code = "import MeWMModuleLib.dependencies, MeWMModuleLib.sample_data, sys; print('slicer' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_sample_is_registered_with_a_checksum_for_each_file(tmp_path):
    told = {}

    class Logic:
        @staticmethod
        def registerCustomSampleDataSource(**fields):
            told.update(fields)

    sample_data.register(Logic, "https://example.org/", tmp_path / "icon.png")
    assert told["category"] == "MeWM" and told["nodeNames"] == list(sample_data.NODES)
    lengths = {len(told[key]) for key in ("uris", "fileNames", "nodeNames", "checksums", "loadFileType")}
    assert lengths == {2}
    for checksum in told["checksums"]:
        assert re.fullmatch(r"SHA256:[0-9a-f]{64}", checksum)
    # Slicer's store of testing data names a file by its digest.
    assert told["uris"][0] == "https://example.org/" + told["checksums"][0].replace(":", "/")
    assert dependencies.OFFLINE.endswith(".")
