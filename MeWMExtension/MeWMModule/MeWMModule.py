"""The four classes by which 3D Slicer knows MeWM; wiring only, the parts are in MeWMModuleLib."""

import importlib
import sys
import tempfile
from pathlib import Path

import slicer
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

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


LIBRARY = "MeWMModuleLib"


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


class MeWMModuleWidget(ScriptedLoadableModuleWidget):
    """The panel: the notice, and a finished run loaded side by side."""

    def setup(self):
        """Build the panel from its .ui file; called when the user first opens the module."""
        super().setup()
        widget = slicer.util.loadUI(self.resourcePath("UI/MeWMModule.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        self.logic = MeWMModuleLogic()
        self.ui.loadRunButton.connect("clicked(bool)", self.onLoadRun)

    def onLoadRun(self, _checked=False):
        """Load the chosen run folder and show its best protocol beside the pre-treatment CT."""
        from mewm.errors import MewmError

        try:
            loaded = self.logic.loadRun(self.ui.runPathLineEdit.currentPath)
        except MewmError as error:
            self.ui.statusLabel.text = str(error)
            slicer.util.errorDisplay(str(error))
            return
        self.logic.showSideBySide(loaded)
        self.ui.statusLabel.text = _("{count} simulated protocols loaded for {case}.").format(
            count=len(loaded.protocols), case=loaded.run.case_name
        )

    def onReload(self):
        """Reload the library too; Slicer's own reload takes this file only."""
        names = sorted(name for name in sys.modules if name.split(".")[0] == LIBRARY)
        for name in names:
            del sys.modules[name]
        importlib.import_module(LIBRARY)
        super().onReload()


class MeWMModuleLogic(ScriptedLoadableModuleLogic):
    """What the panel does, usable without it."""

    def loadRun(self, folder):
        """Load a run folder into the application's scene; see :func:`MeWMModuleLib.scene.load_run`."""
        from MeWMModuleLib.scene import load_run

        return load_run(slicer.mrmlScene, folder)

    def showSideBySide(self, loaded, index=0):
        """Show the pre-treatment CT left and the kept protocol at ``index`` right, slices linked on the lesion."""
        from MeWMModuleLib.comparison import compare

        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView)
        if loaded.protocols:
            compare(slicer.mrmlScene, loaded, loaded.protocols[index])


class MeWMModuleTest(ScriptedLoadableModuleTest):
    """Self-test inside Slicer."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Run all tests."""
        self.setUp()
        self.test_loadRun()

    def test_loadRun(self):
        """A small run is loaded, shown, loaded again and removed."""
        self.delayDisplay("Loading a small simulated run")
        sys.path.insert(0, str(Path(__file__).resolve().parent / "Testing" / "Python"))
        try:
            import phantom_run
        finally:
            sys.path.pop(0)
        from MeWMModuleLib.scene import remove_run

        logic = MeWMModuleLogic()
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "run"
            phantom_run.write_run(folder)
            logic.loadRun(folder)
            loaded = logic.loadRun(folder)
        logic.showSideBySide(loaded)
        self.assertEqual(len(loaded.protocols), len(phantom_run.PROTOCOLS))
        self.assertEqual(loaded.table.GetNumberOfRows(), len(phantom_run.PROTOCOLS) + 1)
        red = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
        self.assertEqual(red.GetBackgroundVolumeID(), loaded.pre.GetID())
        self.assertGreater(remove_run(slicer.mrmlScene, loaded.run.identifier), 0)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode"), 0)
        self.delayDisplay("Test passed")
