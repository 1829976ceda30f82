"""The extension's shell without a Slicer: what ships, what is imported, and what Slicer reads at start."""

import ast
import importlib.util
import re
import struct
import subprocess
import sys
import types
from pathlib import Path
from xml.etree import ElementTree

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
EXTENSION = REPOSITORY / "MeWMExtension"
MODULE = EXTENSION / "MeWMModule"
ENGINE = EXTENSION / "mewm"

# An import points inward only. What is not named here is the innermost layer: case, geometry, actions, errors.
LAYERS = (
    {"policy", "dynamics", "assistant", "survival", "measure"},
    {"explore", "reports"},
    {"cohort"},
    {
        "api",
        "exploration",
        "sample",
        "phantom",
        "rows",
        "run",
        "run_files",
        "run_manifest",
        "run_proposal",
        "run_update",
    }
    | {"export", "cli", "__main__", "doctor", "training", "evaluation", "worker"},
)


def _cmake(path):
    return re.sub(r"#.*", "", path.read_text(encoding="utf-8"))


def _listed(name):
    text = _cmake(MODULE / "CMakeLists.txt").replace("${MODULE_NAME}", "MeWMModule")
    return set(re.search(rf"set\({name}\s+([^)]*)\)", text).group(1).split())


def _shipped(root, *suffixes):
    found = (p for p in root.rglob("*") if p.suffix in suffixes and "__pycache__" not in p.parts)
    return {p.relative_to(root).as_posix() for p in found}


def _imports(path):
    """Absolute names of the modules that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(EXTENSION).with_suffix("").parts[: -node.level] if node.level else ()
            base = ".".join((*package, *filter(None, [node.module])))
            # "from mewm import api" imports mewm.api.
            yield from (f"{base}.{alias.name}" for alias in node.names) if base == "mewm" else (base,)


def test_the_module_lists_every_file_it_ships_and_nothing_else():
    scripts, resources = _listed("MODULE_PYTHON_SCRIPTS"), _listed("MODULE_PYTHON_RESOURCES")
    assert scripts == _shipped(MODULE, ".py")
    data = {p.relative_to(MODULE).as_posix() for p in (MODULE / "Resources").rglob("*") if p.is_file()}
    assert resources == data
    assert {"Resources/Icons/MeWMModule.png", "Resources/UI/MeWMModule.ui"} <= resources


def test_the_engine_and_its_data_ship_whole():
    text = _cmake(EXTENSION / "CMakeLists.txt")
    assert "add_subdirectory(MeWMModule)" in text
    assert '"${CMAKE_CURRENT_SOURCE_DIR}/mewm/*.py"' in text
    # Python files are globbed; anything else in the package would be left behind.
    others = {p.name for p in ENGINE.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    assert others == set()
    shipped = re.search(r"foreach\(data IN ITEMS ([^)]*)\)", text).group(1).split()
    wheel = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert {f'"Resources/{name}"' for name in shipped} == set(re.findall(r'^("Resources/\w+") = "mewm/', wheel, re.M))
    for name in shipped:
        assert any(p.is_file() for p in (REPOSITORY / "Resources" / name).rglob("*")), name


def test_the_extension_states_what_the_index_of_extensions_asks_for():
    text = _cmake(REPOSITORY / "CMakeLists.txt")
    assert "project(MeWMExtension)" in text
    for key in ("CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "DEPENDS"):
        assert re.search(rf'set\(EXTENSION_{key} "[^"]+"\)', text), key
    # From check_description_files.py of the index; "Liver", where the module stands in Slicer, is none of its.
    assert 'set(EXTENSION_CATEGORY "Planning")' in text
    order = ["find_package(Slicer", "add_subdirectory(MeWMExtension)", "EXTENSION_GENERATE_CONFIG", "EXTENSION_CPACK"]
    places = [text.index(step) for step in order]
    assert places == sorted(places)
    assert (REPOSITORY / "LICENSE").is_file()


def test_the_extension_names_no_address_that_does_not_exist_and_its_pictures_are_here():
    """The index of extensions reads the file as text: a CMake variable in an address is not followed."""
    whole = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    keys = ("HOMEPAGE", "ICONURL", "SCREENSHOTURLS")
    values = {key: re.search(rf'^set\(EXTENSION_{key} "([^"]*)"\)$', whole, re.M).group(1) for key in keys}
    addresses = " ".join(values.values()).split()
    assert not any("example." in address or "$" in address for address in addresses)
    # All of them or none; until then the file says where the pictures are.
    assert all(values.values()) or not any(values.values())
    pictures = addresses[1:] or re.findall(r"\S+\.png", whole)
    assert len(pictures) == 3
    for picture in pictures:
        path = picture.split("/main/")[-1]
        assert (REPOSITORY / path).is_file(), picture


def test_the_icon_is_a_png_of_128_pixels():
    head = (MODULE / "Resources" / "Icons" / "MeWMModule.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == (128, 128)


def test_the_engine_knows_nothing_of_slicer():
    forbidden = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "trame_slicer", "MeWMModule", "MeWMModuleLib"}
    for path in ENGINE.rglob("*.py"):
        assert forbidden.isdisjoint(name.split(".")[0] for name in _imports(path)), path


def _layer(module):
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else "__init__"
    return next((n for n, names in enumerate(LAYERS, start=1) if name in names), 0)


def test_imports_within_the_engine_point_inward():
    outward = []
    for path in ENGINE.rglob("*.py"):
        own = ".".join(path.relative_to(EXTENSION).with_suffix("").parts)
        for name in _imports(path):
            if name.split(".")[0] == "mewm" and _layer(name) > _layer(own):
                outward.append(f"{own} imports {name}")
    assert outward == []


def test_the_panel_lists_no_heavy_import():
    """Reading and showing a run needs numpy, VTK and Slicer; the engine's heavy packages stay in its process."""
    code = "import sys, MeWMModuleLib.scene, MeWMModuleLib.comparison; print(*sys.modules)"
    pytest.importorskip("slicer", reason="the 'scene' extra is not installed; `make setup` installs it")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"torch", "SimpleITK", "scipy", "pandas", "lifelines", "monai", "trame_slicer", "PIL", "matplotlib"}
    assert "MeWMModuleLib.scene" in out
    assert heavy.isdisjoint(out)


def test_the_library_finds_the_engine_in_a_checkout(tmp_path):
    """Slicer puts only the module's folder on sys.path when it runs from a checkout."""
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]; import MeWMModuleLib, mewm, mewm.resources as r; "
        "print(mewm.__file__); print(r.resource_path('ActionBase'))"
    )
    # -S leaves out site-packages and with it any installed mewm.
    command = [sys.executable, "-S", "-c", code, str(MODULE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    package, data = done.stdout.splitlines()
    assert Path(package) == ENGINE / "__init__.py"
    assert Path(data) == REPOSITORY / "Resources" / "ActionBase"


def test_the_module_file_is_pure_at_file_scope():
    tree = ast.parse((MODULE / "MeWMModule.py").read_text(encoding="utf-8"))
    names = set()
    for statement in tree.body:
        # A try at file scope runs its imports too; those inside functions wait until they are called.
        for node in [statement, *getattr(statement, "body", [])] if not isinstance(statement, ast.ClassDef) else []:
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module.split(".")[0])
    assert names <= set(sys.stdlib_module_names) | {"slicer"}
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert classes == ["MeWMModule", "MeWMModuleWidget", "MeWMModuleLogic", "MeWMModuleTest"]


class _Bag(types.SimpleNamespace):
    """An object whose attributes the module sets."""


@pytest.fixture
def module(monkeypatch):
    """MeWMModule.py loaded on stand-ins for Slicer's own modules."""

    def init(self, parent=None):
        self.parent = parent

    bases = {
        name: type(name, (), {"__init__": init, "setup": lambda self: None, "onReload": lambda self: None})
        for name in (
            "ScriptedLoadableModule",
            "ScriptedLoadableModuleWidget",
            "ScriptedLoadableModuleLogic",
            "ScriptedLoadableModuleTest",
        )
    }
    slicer = types.ModuleType("slicer")
    util = types.ModuleType("slicer.util")
    util.VTKObservationMixin = type("VTKObservationMixin", (), {})
    slicer.util = util
    slicer.app = _Bag(connect=lambda signal, slot: None)
    scripted = types.ModuleType("slicer.ScriptedLoadableModule")
    vars(scripted).update(bases)
    i18n = types.ModuleType("slicer.i18n")
    i18n.tr = lambda text: text
    i18n.translate = lambda context, text: text
    for stand_in in (slicer, util, scripted, i18n):
        monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    spec = importlib.util.spec_from_file_location("MeWMModule", MODULE / "MeWMModule.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_slicer_is_told_title_category_help_and_acknowledgement(module):
    parent = _Bag()
    module.MeWMModule(parent)
    assert parent.title == "MeWM: TACE world model"
    assert parent.categories == ["Liver"]
    assert parent.contributors and parent.dependencies == []
    assert "Research use only" in parent.helpText and "Not a medical device" in parent.helpText
    assert "arxiv.org/abs/2506.02327" in parent.helpText
    assert "ICCV 2025" in parent.acknowledgementText


def test_the_module_loads_where_slicer_has_no_translations(module, monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer.i18n", None)
    spec = importlib.util.spec_from_file_location("MeWMModuleOld", MODULE / "MeWMModule.py")
    old = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(old)
    parent = _Bag()
    old.MeWMModule(parent)
    assert parent.title == "MeWM: TACE world model"


def test_the_panel_uses_only_widgets_that_its_file_defines():
    root = ElementTree.parse(MODULE / "Resources" / "UI" / "MeWMModule.ui").getroot()
    names = {widget.get("name") for widget in root.iter("widget")}
    used = {
        name
        for path in (MODULE / "MeWMModuleLib").glob("*.py")
        for name in re.findall(r"\bui\.(\w+)", path.read_text(encoding="utf-8"))
    }
    assert used and used <= names
    notice = " ".join(string.text or "" for string in root.iter("string"))
    assert "Research use only. Not a medical device." in notice
