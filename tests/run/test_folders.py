"""Where runs go, and who may work in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from iterate.run.folders import run_folder
from iterate.run.session import own_folder
from iterate_core.errors import RequestError


def test_a_run_goes_below_runs_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_folder("mine", None, fresh=False) == ("mine", Path("runs/mine"))
    assert run_folder("mine", Path("there"), fresh=False) == ("mine", Path("there"))


def test_fresh_goes_beside_what_is_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run_folder("mine", out, fresh=True) == ("mine", out)
    out.mkdir()
    assert run_folder("mine", out, fresh=True) == ("mine-2", tmp_path / "out-2")
    (tmp_path / "out-2").mkdir()
    assert run_folder("mine", out, fresh=True) == ("mine-3", tmp_path / "out-3")
    assert run_folder("mine", out, fresh=False) == ("mine", out)


def test_a_run_at_work_is_left_alone(tmp_path: Path) -> None:
    with own_folder(tmp_path), pytest.raises(RequestError) as refused, own_folder(tmp_path):
        pass
    assert "another process" in str(refused.value)
    with own_folder(tmp_path):  # free again
        pass
