"""Runs the self-tests in a Slicer started with ``--testing --python-script`` and ends it: status 0 if all passed."""

import traceback

import slicer


def main():
    """Run the tests of the module and leave Slicer."""
    status = slicer.util.EXIT_SUCCESS
    try:
        slicer.selfTests["MeWMModule"]()
    except Exception:
        traceback.print_exc()
        status = slicer.util.EXIT_FAILURE
    slicer.util.exit(status)


main()
