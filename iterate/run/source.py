"""Where a run comes from, in the tags that MLflow shows as its source and version."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from iterate_core.provenance import commit


def source_tags(words: Sequence[str] | None = None) -> dict[str, str]:
    """``mlflow.source.name``, ``mlflow.source.type`` and, in a repository, the git commit.

    The name is the command and its file, or the program that used the Python interface; of a
    path the last part alone, since folders may name people.

    Args:
        words: The command line; None takes this process's own.
    """
    tags = {"mlflow.source.name": _name(words or sys.argv), "mlflow.source.type": "LOCAL"}
    version = commit(Path.cwd())
    return tags if version is None else tags | {"mlflow.source.git.commit": version}


def _name(words: Sequence[str]) -> str:
    program = Path(words[0])
    ours = program.stem == "iterate" or program.parent.name == "iterate"
    if not ours or len(words) < 2:
        return program.name or "python"
    said = [word for word in words[2:3] if not word.startswith("-") and "=" not in word]
    return " ".join(["iterate", words[1], *(Path(word).name for word in said)])
