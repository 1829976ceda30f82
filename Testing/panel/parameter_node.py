"""The part of ``slicer.parameterNodeWrapper`` that the panel uses, on a real vtkMRMLScriptedModuleNode.

As in Slicer a value is read when the node is modified, and kept until then: a node that is referred to and comes into
the scene later, as in a scene that is being read, is not seen.
"""

from __future__ import annotations

import types
import typing
import weakref

import slicer
import widgets
from PySide6 import QtWidgets


class WithinRange:
    """Limits of a number."""

    def __init__(self, minimum, maximum):
        self.minimum, self.maximum = minimum, maximum


class _Parameter:
    def __init__(self, name, hint, default):
        self.name = name
        self.range = next((a for a in typing.get_args(hint)[1:] if isinstance(a, WithinRange)), None)
        self.kind = typing.get_args(hint)[0] if self.range else hint
        options = typing.get_args(self.kind) if typing.get_origin(self.kind) is typing.Union else (self.kind,)
        self.node_types = [o for o in options if isinstance(o, type) and issubclass(o, slicer.vtkMRMLNode)]
        self.default = default

    def read(self, node):
        if not node.HasParameter(self.name):
            self.write(node, self.default)
        if self.node_types:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        return text == "True" if self.kind is bool else self.kind(text)

    def write(self, node, value):
        if self.node_types:
            if value is not None and not isinstance(value, tuple(self.node_types)):
                raise TypeError(f"{self.name} takes {self.node_types}, not {value}")
            node.SetParameter(self.name, "")
            node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
            return
        if not isinstance(value, self.kind):
            raise TypeError(f"{self.name} takes {self.kind}, not {value!r}")
        if self.range and not self.range.minimum <= value <= self.range.maximum:
            raise ValueError(f"{self.name} is {value}, outside {self.range.minimum} to {self.range.maximum}")
        node.SetParameter(self.name, str(value))


def _property(name):
    def write(self, value):
        self._writing.add(name)
        modified = self.parameterNode.StartModify()
        try:
            self.allParameters[name].write(self.parameterNode, value)
            self._values[name] = self.allParameters[name].read(self.parameterNode)
        finally:
            self.parameterNode.EndModify(modified)
            self._writing.discard(name)

    return property(lambda self: self._values[name], write)


def parameterNodeWrapper(cls):
    """Turn a class of annotations into typed access to a parameter node with binding to widgets."""
    hints = typing.get_type_hints(cls, include_extras=True)
    cls.allParameters = {name: _Parameter(name, hint, getattr(cls, name, None)) for name, hint in hints.items()}
    for name in hints:
        setattr(cls, name, _property(name))

    def init(self, node):
        self.parameterNode = node
        self._guis = {}
        self._writing = set()
        self._values = {name: parameter.read(node) for name, parameter in self.allParameters.items()}
        me = weakref.ref(self)
        self._tag = node.AddObserver("ModifiedEvent", lambda *_event: me()._read_again())

    def read_again(self):
        for name in self.allParameters.keys() - self._writing:
            self._values[name] = self.allParameters[name].read(self.parameterNode)

    cls.__init__ = init
    cls.__del__ = lambda self: self.parameterNode.RemoveObserver(self._tag)
    cls._read_again = read_again
    cls.connectGui = _connect_gui
    cls.disconnectGui = _disconnect_gui
    cls.AddObserver = lambda self, event, callback, priority=0.0: self.parameterNode.AddObserver(
        event, callback, priority
    )
    cls.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    return cls


class _Binding:
    """One widget and one parameter. As in Slicer, a widget of another class cannot be bound."""

    def __init__(self, parameter, widget):
        self.parameter, self.widget = parameter, widget
        kind = type(widget)
        if kind is QtWidgets.QCheckBox and parameter.kind is bool:
            self.read, self.write, self.signal = widget.isChecked, widget.setChecked, widget.stateChanged
        elif kind in (QtWidgets.QSpinBox, QtWidgets.QSlider) and parameter.kind is int:
            widget.setRange(parameter.range.minimum, parameter.range.maximum)
            self.read, self.write, self.signal = widget.value, widget.setValue, widget.valueChanged
        elif kind is QtWidgets.QLineEdit and parameter.kind is str:
            self.read, self.signal = widget.text, widget.textChanged
            self.write = lambda text: None if text == widget.text() else widget.setText(text)
        elif kind is widgets.NodeComboBox and parameter.node_types:
            widget.nodeTypes = [node_type().GetClassName() for node_type in parameter.node_types]
            self.read, self.write, self.signal = widget.currentNode, widget.setCurrentNode, widget.currentNodeChanged
        else:
            raise RuntimeError(f"no connector from {parameter.kind} to {kind} ({parameter.name})")


def _connect_gui(self, gui):
    bindings = []
    for widget in vars(gui).values():
        name = widget.property("SlicerParameterName")
        if name:
            bindings.append(_Binding(self.allParameters[name], widget))
    updating = []

    def to_gui(*_event):
        if not updating:
            updating.append(True)
            try:
                for binding in bindings:
                    binding.write(getattr(self, binding.parameter.name))
            finally:
                updating.clear()

    def to_node(binding):
        if not updating:
            setattr(self, binding.parameter.name, binding.read())

    to_gui()
    connections = []
    for binding in bindings:
        slot = lambda *_values, binding=binding: to_node(binding)  # noqa: E731
        binding.signal.connect(slot)
        connections.append((binding.signal, slot))
    tag = self.parameterNode.AddObserver("ModifiedEvent", to_gui)
    self._guis[tag] = connections
    return tag


def _disconnect_gui(self, tag):
    for signal, slot in self._guis.pop(tag, ()):
        signal.disconnect(slot)
    self.parameterNode.RemoveObserver(tag)


def parameter_node_module():
    """Return the stand-in for ``slicer.parameterNodeWrapper``."""
    module = types.ModuleType("slicer.parameterNodeWrapper")
    module.WithinRange = WithinRange
    module.parameterNodeWrapper = parameterNodeWrapper
    return module
