"""Where the data that ships beside the code lies: in the wheel, the Slicer extension or a checkout."""

from pathlib import Path

from mewm.errors import ResourceError

_PACKAGE = Path(__file__).resolve().parent


def resource_path(relative: str) -> Path:
    """Return the absolute path of a shipped resource such as ``ActionBase/agents.json``.

    The installed package carries its resources in ``mewm/Resources``; a checkout has them at its top.

    Raises:
        ResourceError: nothing of that name is shipped.
    """
    for root in (_PACKAGE / "Resources", _PACKAGE.parents[1] / "Resources"):
        path = root / relative
        if path.exists():
            return path
    raise ResourceError(f"The file Resources/{relative} is missing; reinstall MeWM.")
