"""The examples in the docstrings of the Python API run as written."""

import doctest

import mewm.api
import mewm.doctor


def test_examples_of_the_api(lits117):
    for module in (mewm.api, mewm.doctor):
        result = doctest.testmod(module)
        assert result.attempted > 0
        assert result.failed == 0
