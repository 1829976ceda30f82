"""``python -m mewm``."""

import sys

from mewm.cli import main

sys.exit(main())
