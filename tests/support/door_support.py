"""Runs a command in this process, and tells how it ended and what it said."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from iterate.cli.main import main


@dataclass(frozen=True)
class Said:
    """How a command ended.

    Attributes:
        code: Its exit code.
        out: Standard output, for machines.
        err: Standard error, for people.
    """

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """What people read, in one line."""
        return re.sub(r"\s+", " ", self.err)


Command = Callable[..., Said]


def commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``iterate WORDS…`` in the current folder."""

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["iterate", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Said(int(stopped.value.code or 0), captured.out, captured.err)

    return run
