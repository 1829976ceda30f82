"""What a request may choose from."""

from typing import Literal, get_args

Search = Literal["fast", "algorithm1", "exhaustive"]
SEARCHES: tuple[Search, ...] = get_args(Search)

DEVICES = ("auto", "cpu")
