"""Kept features take no more than they may: those go first that nobody has used for longest."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from iterate_core.storage import bounds, usage
from iterate_core.storage.bounds import choose_limit, chosen_limit, limit, make_room, record


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path))
    return tmp_path / "features"


def filled(entry: Path, size: int, age: float) -> None:
    """An entry of so many bytes on the disk that was last used so many seconds ago."""
    use = usage.use(entry)
    assert make_room(entry, size, {"dataset": entry.name})
    (entry / "train-0.npy").write_bytes(bytes(size))
    then = (entry / usage.USED).stat().st_mtime - age
    os.utime(entry / usage.USED, (then, then))
    use.release()


def names(kept: Path) -> list[str]:
    return [path.name for path in usage.entries(kept)]


def test_the_least_recently_used_go_until_there_is_room(kept: Path) -> None:
    choose_limit(400_000)
    for name, age in (("old", 30), ("older", 40), ("new", 10)):
        filled(kept / name, 100_000, age)
    usage.use(kept / "old").release()  # used again
    assert names(kept) == ["older", "new", "old"]
    assert make_room(kept / "next", 230_000, {})
    assert names(kept) == ["old", "next"]
    assert record(kept / "next") == {"bytes": 230_000}


def test_what_is_in_use_stays_and_what_cannot_have_room_removes_nothing(kept: Path) -> None:
    choose_limit(400_000)
    for name, age in (("oldest", 30), ("older", 20)):
        filled(kept / name, 150_000, age)
    use = usage.use(kept / "oldest")
    assert usage.is_used(kept / "oldest")
    assert not usage.remove(kept / "oldest")
    assert not make_room(kept / "next", 300_000, {})
    assert not make_room(kept / "next", 400_001, {})
    assert set(names(kept)) == {"older", "oldest"}
    assert make_room(kept / "next", 200_000, {})
    assert set(names(kept)) == {"oldest", "next"}
    del use
    gc.collect()
    assert not usage.is_used(kept / "oldest")
    assert usage.remove(kept / "oldest")
    assert names(kept) == ["next"]


def test_bytes_that_are_still_to_be_written_count(kept: Path) -> None:
    choose_limit(400_000)
    first, second = (usage.use(kept / name) for name in ("first", "second"))
    assert make_room(kept / "first", 300_000, {})
    assert not make_room(kept / "second", 200_000, {})
    first.release()
    assert make_room(kept / "second", 200_000, {})
    assert names(kept) == ["second"]
    second.release()


def test_an_entry_that_was_let_in_stays_so(kept: Path) -> None:
    filled(kept / "entry", 100_000, 0)
    choose_limit(10)
    assert make_room(kept / "entry", 100_000, {})


def test_the_limit_is_half_of_what_the_disk_has_unless_said_otherwise(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "free_bytes", lambda _: 10**12)
    filled(kept / "entry", 400_000, 0)
    has = 10**12 + usage.disk_bytes(kept / "entry")
    assert (chosen_limit(), limit(kept)) == (None, has // 2)
    choose_limit(10**11)
    assert (chosen_limit(), limit(kept)) == (10**11, 10**11)
    choose_limit(2 * 10**12)
    assert limit(kept) == has
    choose_limit(None)
    assert limit(kept) == has // 2
    monkeypatch.setattr(bounds, "free_bytes", lambda _: 0)
    assert limit(kept) == bounds.ALWAYS


def test_an_entry_that_is_removed_while_another_asks_for_it_is_made_anew(kept: Path) -> None:
    filled(kept / "entry", 10, 0)
    assert usage.remove(kept / "entry")
    assert not (kept / "entry").exists()
    use = usage.use(kept / "entry")
    assert usage.is_used(kept / "entry")
    assert record(kept / "entry") == {}
    use.release()
