"""What a request may choose from."""

from typing import Literal

Search = Literal["fast", "algorithm1", "exhaustive"]

DEVICES = ("auto", "cpu")
