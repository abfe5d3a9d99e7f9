"""What a training run of a study is, and how it stands: words that several rooms share."""

from typing import Literal

Kind = Literal["trial", "repeat"]
KINDS: tuple[Kind, ...] = ("trial", "repeat")

State = Literal["WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL"]
