"""Find a way to draw without a screen, or say what to install."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

from mewm.errors import MewmError

_CHOICE = "VTK_DEFAULT_OPENGL_WINDOW"
_OSMESA = ("libOSMesa.so", "libOSMesa.so.8", "libOSMesa.so.6")


class NoOpenGLError(MewmError):
    """This machine has no OpenGL that VTK can draw with."""


def ensure_offscreen_opengl() -> str:
    """Choose an off-screen OpenGL for VTK and return the class of its window.

    On Linux EGL draws without an X server, on the GPU or in software; OSMesa is VTK's own second choice. A user's
    setting of ``VTK_DEFAULT_OPENGL_WINDOW`` is kept. VTK crashes the process where it finds neither, hence the
    check before the first picture.

    Raises:
        NoOpenGLError: with the packages that are missing.
    """
    linux = sys.platform.startswith("linux")
    if linux:
        os.environ.setdefault(_CHOICE, "vtkEGLRenderWindow")
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  registers the OpenGL windows
    from vtkmodules.vtkRenderingCore import vtkRenderWindow

    with quiet():
        window = vtkRenderWindow()
        window.SetOffScreenRendering(1)
        kind = window.GetClassName()
    if linux and kind == "vtkOSOpenGLRenderWindow" and not any(map(_loads, _OSMESA)):
        raise NoOpenGLError(
            "The pictures need OpenGL and this machine has none; install it with "
            "`apt-get install libegl1 libgl1-mesa-dri` (Debian, Ubuntu) or "
            "`dnf install mesa-libEGL mesa-dri-drivers` (Fedora, RHEL) and run again."
        )
    return kind


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep VTK's chatter off the terminal where the result is checked (display probes, archives file by file)."""
    from vtkmodules.vtkCommonCore import vtkLogger, vtkOutputWindow, vtkStringOutputWindow

    window, verbosity = vtkOutputWindow.GetInstance(), vtkLogger.GetCurrentVerbosityCutoff()
    vtkOutputWindow.SetInstance(vtkStringOutputWindow())
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        yield
    finally:
        vtkOutputWindow.SetInstance(window)
        vtkLogger.SetStderrVerbosity(verbosity)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
