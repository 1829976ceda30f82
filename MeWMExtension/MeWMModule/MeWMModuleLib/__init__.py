"""Parts of the MeWM panel, one idea a file.

An installed extension carries the engine package ``mewm`` beside this one and Slicer puts that folder on
``sys.path``. In a checkout ``mewm`` lies one folder further out, so ``--additional-module-paths
MeWMExtension/MeWMModule`` alone would not find it; this is the only place that mends it.
"""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("mewm") is None:
    sys.path.append(str(Path(__file__).resolve().parents[2]))
