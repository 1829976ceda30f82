"""Slicer without its window: real Qt (PySide6), the real scene (slicer-core), and small stand-ins for the rest.

Only what the panel touches of qMRML, ctk, ``slicer.app`` and the Slicer base classes is here. The library and the
module file run unchanged: they import ``qt``, ``slicer`` and ``slicer.ScriptedLoadableModule`` as in Slicer and see
Qt properties as attributes, as PythonQt shows them.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
import types
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import slicer
import slicer.util
import widgets
from parameter_node import parameter_node_module
from PySide6 import QtCore, QtGui, QtWidgets
from shibokensupport import feature  # PySide6 brings it in, so it comes after

MODULE = Path(__file__).resolve().parents[2] / "MeWMExtension" / "MeWMModule"
_TRUE_PROPERTY = 0x02
_IN_SLICER = ("MeWMModuleLib", "MeWMModule", "mewm_self_test")


def select_properties(name):
    """Show Qt properties as attributes to a module that is loaded."""
    # PySide reads the source of every module to see who uses it; stand-ins for modules (torch.classes) raise at that.
    odd = {key: module for key, module in sys.modules.items() if type(module) is not types.ModuleType}
    for key in odd:
        del sys.modules[key]
    try:
        feature.set_selection(_TRUE_PROPERTY, name)
    finally:
        sys.modules.update(odd)


class _TrueProperties(importlib.abc.MetaPathFinder):
    """Shows Qt properties as attributes to every module that runs inside Slicer, once it is loaded."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in _IN_SLICER:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader(importlib.abc.Loader):
    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        select_properties(module.__name__)


class Dialogs:
    """Answers that the user would give; every question asked is kept."""

    def __init__(self):
        self.folder = self.file = ""
        self.answer = True
        self.asked = []

    def question(self, *words, **_options):
        self.asked.append(str(words[0]))
        return self.answer


DIALOGS = Dialogs()


class _FileDialog:
    """PythonQt returns the chosen path alone; PySide a pair."""

    @staticmethod
    def getExistingDirectory(*_arguments):
        return DIALOGS.folder

    @staticmethod
    def getSaveFileName(*_arguments):
        return DIALOGS.file


class _App:
    """What the module asks of ``slicer.app``."""

    def __init__(self, folder, application, logic):
        self.defaultScenePath = str(folder)
        self.processEvents = application.processEvents
        self.applicationLogic = lambda: logic
        self._settings = QtCore.QSettings(f"{folder}/Slicer.ini", QtCore.QSettings.IniFormat)
        self.userSettings = lambda: self._settings


class _Base:
    """Base of the module's classes, as in Slicer's ScriptedLoadableModule.py."""

    def __init__(self, parent=None):
        self.parent = parent
        self.moduleName = "MeWMModule"


class _Widget(_Base):
    def __init__(self, parent=None):
        super().__init__(parent or QtWidgets.QWidget())
        self.layout = QtWidgets.QVBoxLayout(self.parent)

    def setup(self):
        pass

    def onReload(self):
        self.cleanup()

    def resourcePath(self, name):
        return str(MODULE / "Resources" / name)


class _Logic(_Base):
    def getParameterNode(self):
        scene = slicer.mrmlScene
        node = scene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(self.moduleName)
            node.SetAttribute("ModuleName", self.moduleName)
            node.SetName(self.moduleName)
            node = scene.AddNode(node)
        return node


class _Test:
    def delayDisplay(self, _message):
        QtWidgets.QApplication.processEvents()

    def __getattr__(self, name):
        import unittest

        return getattr(unittest.TestCase(), name)


class Views:
    """Slice views without windows, and the logic that makes the views of a layout; both as Slicer has them."""

    NAMES = ("Red", "Yellow", "Green", "MeWM3", "MeWM4")

    def __init__(self, scene, names=NAMES):
        self.slices = {}
        for name in names:
            logic = slicer.vtkMRMLSliceLogic()
            logic.SetMRMLScene(scene)
            logic.AddSliceNode(name)
            self.slices[name] = logic
        self.layout = slicer.vtkMRMLLayoutLogic()
        self.layout.SetMRMLScene(scene)


def install(slicer_app, folder):
    """Put the stand-ins where the module imports them from; return the running ``QApplication``.

    Args:
        slicer_app: :class:`trame_slicer.core.SlicerApp`, which holds the real MRML scene.
        folder: where runs go.
    """
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["Slicer"])
    scene = slicer_app.scene
    slicer.mrmlScene = scene
    slicer.app = _App(folder, application, slicer_app.app_logic)
    slicer.modules = types.SimpleNamespace()
    slicer.util.getModuleWidget = lambda name: slicer.modules.MeWMModuleWidget
    slicer.util.saveScene = lambda path: slicer_app.io_manager.write_scene(path)
    slicer.util.loadScene = lambda path: slicer_app.io_manager.load_scene(path)
    slicer.qMRMLNodeComboBox = widgets.NodeComboBox
    slicer.util.loadUI = widgets.load_ui
    slicer.util.childWidgetVariables = widgets.child_widget_variables
    slicer.util.getNodesByClass = lambda name: [
        scene.GetNthNodeByClass(index, name) for index in range(scene.GetNumberOfNodesByClass(name))
    ]
    slicer.util.startupEnvironment = lambda: dict(os.environ)
    for name in ("confirmOkCancelDisplay", "confirmYesNoDisplay", "confirmRetryCloseDisplay"):
        setattr(slicer.util, name, DIALOGS.question)
    for name in ("errorDisplay", "infoDisplay", "warningDisplay"):
        setattr(slicer.util, name, DIALOGS.question)
    if "qt" not in sys.modules:
        sys.modules["qt"] = _qt()
        sys.modules["slicer.parameterNodeWrapper"] = parameter_node_module()
        sys.modules["slicer.ScriptedLoadableModule"] = _scripted()
        sys.modules["slicer.i18n"] = _i18n()
        sys.meta_path.insert(0, _TrueProperties())
    return application


def _qt():
    module = types.ModuleType("qt")
    for part in (QtCore, QtGui, QtWidgets):
        vars(module).update({name: getattr(part, name) for name in dir(part) if not name.startswith("_")})
    module.QFileDialog = _FileDialog
    return module


def _scripted():
    module = types.ModuleType("slicer.ScriptedLoadableModule")
    module.ScriptedLoadableModule = _Base
    module.ScriptedLoadableModuleWidget = _Widget
    module.ScriptedLoadableModuleLogic = _Logic
    module.ScriptedLoadableModuleTest = _Test
    return module


def _i18n():
    module = types.ModuleType("slicer.i18n")
    module.tr = lambda text: text
    module.translate = lambda _context, text: text
    return module
