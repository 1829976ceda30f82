"""The four classes by which 3D Slicer knows MeWM; wiring only, the parts are in MeWMModuleLib."""

import importlib
import os
import sys
from pathlib import Path

import slicer
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

try:
    from slicer.i18n import tr as _
    from slicer.i18n import translate
except ImportError:  # Slicer before 5.6

    def _(text):
        """Return the text as it is."""
        return text

    def translate(_context, text):
        """Return the text as it is."""
        return text


LIBRARIES = ("MeWMModuleLib", "mewm")


class MeWMModule(ScriptedLoadableModule):
    """Title, category, help and acknowledgement."""

    def __init__(self, parent):
        super().__init__(parent)
        self.parent.title = _("MeWM: TACE world model")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Liver")]
        self.parent.dependencies = []
        self.parent.contributors = ["MeWM for 3D Slicer developers"]
        self.parent.helpText = _(
            "Simulates the CT of a liver tumour after transarterial chemoembolization (TACE) for many protocols of "
            "drugs and embolic agents, and ranks them by predicted survival risk.<br><br>"
            "<b>Research use only. Not a medical device. Simulated volumes are synthetic.</b><br><br>"
            'The method is described in <a href="https://arxiv.org/abs/2506.02327">arXiv 2506.02327</a>.'
        )
        self.parent.acknowledgementText = _(
            "An independent, Apache-2.0 implementation of the method of Yang et al., "
            '"Medical World Model", ICCV 2025, '
            '<a href="https://arxiv.org/abs/2506.02327">arXiv 2506.02327</a>.'
        )
        slicer.app.connect("startupCompleted()", self.registerLayouts)
        slicer.app.connect("startupCompleted()", self.registerSampleData)

    def registerLayouts(self):
        """Make the review's layouts known, so that a saved review opens before the panel was ever shown."""
        from MeWMModuleLib.layouts import register_layouts

        register_layouts(slicer.mrmlScene)

    def registerSampleData(self):
        """Offer a real liver CT in the Sample Data module; nothing is downloaded yet."""
        import SampleData

        from MeWMModuleLib import sample_data

        icon = Path(__file__).resolve().parent / "Resources" / "Icons" / "MeWMModule.png"
        sample_data.register(SampleData.SampleDataLogic, slicer.util.TESTING_DATA_URL, icon)


class MeWMModuleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's life: made with the module, bound to the scene's parameter node, gone with both."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None

    def setup(self):
        """Build the panel from its .ui file; called when the user first opens the module."""
        super().setup()
        if sys.version_info < (3, 10):  # noqa: UP036 - Slicer 5.8 has Python 3.9
            import qt

            label = qt.QLabel("MeWM needs 3D Slicer 5.12 or newer.")
            label.wordWrap = True
            self.layout.addWidget(label)
            return
        from MeWMModuleLib.panel import Panel

        widget = slicer.util.loadUI(self.resourcePath("UI/MeWMModule.ui"))
        self.layout.addWidget(widget)
        self.logic = MeWMModuleLogic()
        self.engine = self.logic.makeEngine()
        self.panel = Panel(
            slicer.util.childWidgetVariables(widget),
            slicer.mrmlScene,
            self.engine,
            self.logic.makeDependencies(),
            self.logic.machineSettings(),
            self.logic.defaultRunsFolder,
        )
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(scene, scene.EndBatchProcessEvent, self.onSceneEndBatchProcess)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)
        self.initializeParameterNode()

    def cleanup(self):
        """Stop what runs; called when the module is reloaded and when the application closes."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()
            self.engine.close()
            self.panel = None

    def enter(self):
        """Bind the panel again if the scene was closed meanwhile; called each time the user opens the module."""
        if self.panel is not None:
            self.panel.entered = True
            self.initializeParameterNode()

    def exit(self):
        """Leave the views to the next module; called each time the user goes to another one."""
        if self.panel is not None:
            self.panel.entered = False

    def initializeParameterNode(self):
        """Bind the panel to the scene's parameter node, made if there is none."""
        parameters = self.logic.getParameterNode()
        bound = self.panel.parameters
        if bound is None or bound.parameterNode is not parameters.parameterNode:
            self.panel.set_parameters(parameters)
        else:
            self.panel.schedule()

    def onSceneStartClose(self, _caller=None, _event=None):
        """Let go of the scene just before it is closed."""
        self.panel.scene_closing()

    def onSceneStartImport(self, _caller=None, _event=None):
        """Let go of the parameter node: while the scene is read, what it refers to comes in piece by piece."""
        self.panel.set_parameters(None)

    def onSceneEndBatchProcess(self, _caller=None, _event=None):
        """Show what a loaded scene holds, or the defaults after it was closed; both end with this event."""
        self.initializeParameterNode()

    def onNodeRemoved(self, _caller=None, _event=None):
        """Tell the panel that something may be gone that it shows or uses."""
        if not slicer.mrmlScene.IsClosing():
            self.panel.nodes_changed()

    def onReload(self):
        """Reload the libraries too; Slicer's own reload takes this file only."""
        for name in [name for name in sys.modules if name.split(".")[0] in LIBRARIES]:
            del sys.modules[name]
        for name in LIBRARIES:
            importlib.import_module(name)
        super().onReload()


class MeWMModuleLogic(ScriptedLoadableModuleLogic):
    """What the panel is made of, usable without it."""

    def getParameterNode(self):
        """Return the panel's choices, kept in the scene; see :class:`MeWMModuleLib.parameters.MeWMParameters`."""
        from MeWMModuleLib.parameters import MeWMParameters

        return MeWMParameters(super().getParameterNode())

    def machineSettings(self):
        """Return the paths of this machine; see :class:`MeWMModuleLib.machine_settings.MachineSettings`."""
        from MeWMModuleLib.machine_settings import MachineSettings

        return MachineSettings(slicer.app.userSettings())

    def makeEngine(self):
        """Return the owner of the engine process; nothing is started yet."""
        import qt

        from MeWMModuleLib.engine import Engine
        from MeWMModuleLib.engine_python import engine_launch

        def launch():
            python = self.machineSettings().engine_python
            return engine_launch(python, os.environ, slicer.util.startupEnvironment())

        return Engine(launch, qt.QProcess, qt.QTimer)

    def makeDependencies(self):
        """Return what asks for, and installs, the Python packages that the engine needs."""
        from MeWMModuleLib.dependencies import Dependencies, slicer_install

        return Dependencies(slicer.util.confirmOkCancelDisplay, slicer_install)

    def defaultRunsFolder(self):
        """Return the folder for runs unless the user chooses one: MeWM in the folder where Slicer keeps scenes."""
        return Path(slicer.app.defaultScenePath or Path.home()) / "MeWM"

    def loadRun(self, folder):
        """Load a run folder into the application's scene; see :func:`MeWMModuleLib.scene.load_run`."""
        from MeWMModuleLib.scene import load_run

        return load_run(slicer.mrmlScene, folder)


class MeWMModuleTest(ScriptedLoadableModuleTest):
    """Self-test inside Slicer; the tests are in Testing/Python."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Run all tests."""
        folder = str(Path(__file__).resolve().parent / "Testing" / "Python")
        sys.path.insert(0, folder)
        try:
            import mewm_self_test
        finally:
            sys.path.remove(folder)
        for test in mewm_self_test.TESTS:
            self.setUp()
            self.delayDisplay(test.__doc__.splitlines()[0])
            test(self)
        self.delayDisplay("Test passed")
