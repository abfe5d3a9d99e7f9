"""The kinds of a study's training runs, and the states in which they can be."""

from typing import Literal

Kind = Literal["trial", "repeat"]
KINDS: tuple[Kind, ...] = ("trial", "repeat")

State = Literal["WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL"]
