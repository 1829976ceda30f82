"""Stand-ins for the qMRML and ctk widgets of the panel's .ui file, with the same names, properties and signals."""

from __future__ import annotations

from types import SimpleNamespace

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from shiboken6 import isValid


class CollapsibleButton(QtWidgets.QWidget):
    """``ctkCollapsibleButton``: a heading that folds its content away."""

    _HEIGHT = 26

    def __init__(self, parent=None):
        super().__init__(parent)
        self._text, self._collapsed = "", False
        self.setContentsMargins(0, self._HEIGHT, 0, 0)

    def _get_text(self):
        return self._text

    def _set_text(self, text):
        self._text = text
        self.update()

    text = QtCore.Property(str, _get_text, _set_text)

    def _get_collapsed(self):
        return self._collapsed

    def _set_collapsed(self, collapsed):
        self._collapsed = collapsed
        self.setMaximumHeight(self._HEIGHT if collapsed else 16777215)
        for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly):
            if not collapsed and child.property("hiddenByFold"):
                child.setProperty("hiddenByFold", False)
                child.show()
            elif collapsed and not child.isHidden():
                child.setProperty("hiddenByFold", True)
                child.hide()
        self.update()

    collapsed = QtCore.Property(bool, _get_collapsed, _set_collapsed)

    def childEvent(self, event):
        super().childEvent(event)
        if self._collapsed and event.added():
            QtCore.QTimer.singleShot(0, lambda: self._set_collapsed(self._collapsed))

    def mousePressEvent(self, event):
        if event.position().y() <= self._HEIGHT:
            self._set_collapsed(not self._collapsed)

    def paintEvent(self, _event):
        painter = QtGui.QPainter(self)
        bar = QtCore.QRect(0, 2, self.width(), self._HEIGHT - 4)
        painter.fillRect(bar, self.palette().button().color().darker(108))
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(self.palette().windowText().color())
        sign = "\u25b8" if self._collapsed else "\u25be"
        painter.drawText(bar.adjusted(8, 0, 0, 0), QtCore.Qt.AlignVCenter, f"{sign}  {self._text}")


class PathLineEdit(QtWidgets.QWidget):
    """``ctkPathLineEdit``: a path and a button to browse; an empty path is no valid one and no change of the path."""

    currentPathChanged = QtCore.Signal(str)
    validInputChanged = QtCore.Signal(bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._edit = QtWidgets.QLineEdit()
        self._valid = False
        self._edit.textChanged.connect(self._changed)
        layout.addWidget(self._edit)
        layout.addWidget(QtWidgets.QToolButton(text="\u2026"))

    def _changed(self, text):
        before, self._valid = self._valid, bool(text)
        if self._valid:
            self.currentPathChanged.emit(text)
        if self._valid != before:
            self.validInputChanged.emit(self._valid)

    def _get(self):
        return self._edit.text()

    def _set(self, path):
        self._edit.setText(path)

    currentPath = QtCore.Property(str, _get, _set)


class NodeComboBox(QtWidgets.QComboBox):
    """``qMRMLNodeComboBox``: the nodes of some classes, kept up to date with the scene."""

    currentNodeChanged = QtCore.Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._types, self._ids = None, [], []
        self.setSizeAdjustPolicy(QtWidgets.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(10)
        self.currentIndexChanged.connect(lambda _index: self.currentNodeChanged.emit(self.currentNode()))

    def _get_types(self):
        return self._types

    def _set_types(self, types):
        self._types = list(types)
        self._update()

    nodeTypes = QtCore.Property("QStringList", _get_types, _set_types)

    def setMRMLScene(self, scene):
        self._scene = scene
        for event in ("NodeAddedEvent", "NodeRemovedEvent", "EndCloseEvent", "EndImportEvent"):
            scene.AddObserver(getattr(scene, event), lambda *_: isValid(self) and self._update())
        self._update()

    def currentNode(self):
        index = self.currentIndex()
        return self._scene.GetNodeByID(self._ids[index]) if self._scene and 0 <= index < len(self._ids) else None

    def setCurrentNode(self, node):
        wanted = node.GetID() if node is not None else ""
        self.setCurrentIndex(self._ids.index(wanted) if wanted in self._ids else 0)

    def _update(self):
        if self._scene is None:
            return
        before = self._ids[self.currentIndex()] if 0 <= self.currentIndex() < len(self._ids) else ""
        nodes = [
            node
            for node in (self._scene.GetNthNode(n) for n in range(self._scene.GetNumberOfNodes()))
            if node.GetClassName() in self._types and not node.GetHideFromEditors()
        ]
        ids = ["", *(node.GetID() for node in nodes)]
        if ids == self._ids:
            return
        self.blockSignals(True)
        self._ids = ids
        self.clear()
        self.addItems(["(none)", *(node.GetName() for node in nodes)])
        self.setCurrentIndex(ids.index(before) if before in ids else 0)
        self.blockSignals(False)
        if before not in ids:
            self.currentNodeChanged.emit(None)


_CLASSES = {
    "ctkCollapsibleButton": CollapsibleButton,
    "ctkPathLineEdit": PathLineEdit,
    "qMRMLNodeComboBox": NodeComboBox,
}


class _Loader(QtUiTools.QUiLoader):
    """Knows the class names that the .ui file uses."""

    def createWidget(self, name, parent=None, object_name=""):
        if name not in _CLASSES:
            return super().createWidget(name, parent, object_name)
        widget = _CLASSES[name](parent)
        widget.setObjectName(object_name)
        return widget


def load_ui(path):
    """Load a .ui file as ``slicer.util.loadUI`` does."""
    file = QtCore.QFile(path)
    if not file.open(QtCore.QFile.ReadOnly):
        raise RuntimeError(f"Could not load UI file: {path}")
    loader = _Loader()
    widget = loader.load(file)
    file.close()
    if widget is None:
        raise RuntimeError(loader.errorString())
    return widget


def child_widget_variables(widget):
    """Return the named widgets below a widget as attributes, as ``slicer.util.childWidgetVariables`` does."""
    found = [widget, *widget.findChildren(QtWidgets.QWidget)]
    return SimpleNamespace(
        **{w.objectName(): w for w in found if w.objectName() and not w.objectName().startswith("qt_")}
    )
