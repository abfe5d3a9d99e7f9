"""`iterate cache`: shows, limits and clears, and removes nothing that is in use."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from engine_support import recipe
from tuning_support import FROZEN
from typer.testing import CliRunner

from iterate.cli.main import app
from iterate_core.engine import fit
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.storage.usage import USED, entries, use

DAY = 24 * 3600


def run(*words: str) -> Any:
    done = CliRunner().invoke(app, ["cache", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entry(cache: Path, kind: str, name: str, size: int, days: float = 0) -> Path:
    """An entry of so many bytes that was last used so many days ago."""
    folder = cache / kind / name
    use(folder).release()
    (folder / "content").write_bytes(bytes(size))
    then = time.time() - days * DAY
    os.utime(folder / USED, (then, then))
    return folder


def test_what_a_training_left_is_shown_and_cleared(cache: Path, tmp_path: Path) -> None:
    chosen = recipe(tuning=FROZEN, augmentation={"flip": False, "rotate": False})
    fit.fit(prepare(chosen), tmp_path / "run")
    told = json.loads(run("--json").stdout)
    assert told["folder"] == str(cache)
    (features,) = told["kinds"]["features"]["entries"]
    files = [path for path in (cache / "features").rglob("*") if path.is_file()]
    # Whole blocks of the disk, which it may give to a file only after a while.
    assert features["bytes"] == pytest.approx(sum(path.stat().st_size for path in files), abs=2**17)
    assert features["bytes"] > 0
    about = features["about"]
    assert about["dataset"] == prepare(chosen).info.name
    assert about["backbone"] == "test_resnet"
    assert about["precision"] == "float32"
    assert len(told["kinds"]["packs"]["entries"]) >= 1
    said = run().stderr
    assert "test_resnet" in said
    assert "float32" in said
    assert "today" in said or "now" in said
    cleared = json.loads(run("clear", "features", "--json").stdout)
    names = {one["name"] for one in cleared["removed"] + cleared["in_use"]}
    assert names == {features["name"]}


def test_nothing_is_cleared_that_is_in_use_or_must_be_fetched(cache: Path) -> None:
    for kind in ("features", "packs", "hub"):
        entry(cache, kind, "idle", 5000)
    held = use(entry(cache, "packs", "used", 5000))
    told = json.loads(run("clear", "--json").stdout)
    assert {one["name"] for one in told["removed"]} == {"idle"}
    assert [one["name"] for one in told["in_use"]] == ["used"]
    left = {kind: [path.name for path in entries(cache / kind)] for kind in ("packs", "hub")}
    assert left == {"packs": ["used"], "hub": ["idle"]}
    held.release()
    run("clear", "packs")
    run("clear", "hub")
    assert not entries(cache / "packs")
    assert not entries(cache / "hub")


def test_entries_that_are_files_are_shown_and_cleared_too(cache: Path) -> None:
    (cache / "hashes").mkdir(parents=True)
    (cache / "hashes" / "new.json").write_text("{}")
    old = cache / "hashes" / "old.json"
    old.write_text("{}")
    os.utime(old, (time.time() - 9 * DAY,) * 2)
    told = json.loads(run("--json").stdout)["kinds"]["hashes"]["entries"]
    assert [one["name"] for one in told] == ["old.json", "new.json"]
    run("clear", "--older-than", "5")
    assert [path.name for path in entries(cache / "hashes")] == ["new.json"]


def test_what_was_used_lately_may_stay(cache: Path) -> None:
    for name, days in (("new", 1), ("old", 9)):
        entry(cache, "features", name, 5000, days)
    said = run("clear", "--older-than", "5").stderr
    assert "1 entry" in said
    assert [path.name for path in entries(cache / "features")] == ["new"]


def test_a_limit_holds_at_once_and_is_remembered(cache: Path) -> None:
    for name, days in (("new", 1), ("older", 9), ("used", 20)):
        entry(cache, "features", name, 50_000, days)
    held = use(cache / "features" / "used")
    told = json.loads(run("--limit", "0.12MB", "--json").stdout)
    assert told["limit"] == {"features": 120_000, "chosen": True}
    assert {path.name for path in entries(cache / "features")} == {"new", "used"}
    assert json.loads(run("--json").stdout)["limit"]["features"] == 120_000
    told = json.loads(run("--limit", "auto", "--json").stdout)
    assert told["limit"]["chosen"] is False
    assert told["limit"]["features"] > 10**9
    held.release()


@pytest.mark.parametrize(
    "words", [("--limit", "much"), ("--limit", "5 parsecs"), ("clear", "pack")]
)
def test_what_is_no_size_or_kind_is_said(words: tuple[str, ...], cache: Path) -> None:
    with pytest.raises(RequestError, match=r"no size|no kind 'pack'.*packs"):
        CliRunner().invoke(app, ["cache", *words], catch_exceptions=False)
    assert not cache.exists()
