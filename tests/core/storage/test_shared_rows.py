"""Arrays that several processes fill together: each block once, none lost if one is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from iterate_core.storage import shared_rows
from iterate_core.storage.files import Locked, lock
from iterate_core.storage.shared_rows import Arrays, SharedRows, fill

ROWS, BLOCK, BLOCKS = 50, 4, 13

# Two parts of 13 blocks, of which the last has two rows. Each block is logged once it is begun.
_PROGRAM = f"""
import sys, time
from pathlib import Path
import numpy as np
from iterate_core.storage.shared_rows import SharedRows, fill

folder, log, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])

def chunks(part, span):
    with log.open("a") as file:
        file.write(f"{{part}} {{span.start}}\\n")
    time.sleep(seconds)
    rows = np.arange(span.start, span.stop, dtype=np.float32)[:, None] + 1000 * part
    yield [rows.repeat(3, 1)[:1], rows[:1].astype(np.int16)]
    yield [rows.repeat(3, 1)[1:], rows[1:].astype(np.int16)]

fill([SharedRows(folder / f"view{{n}}", ("a", "b"), {ROWS}, {BLOCK}) for n in range(2)], chunks)
"""


def parts(folder: Path) -> list[SharedRows]:
    return [SharedRows(folder / f"view{number}", ("a", "b"), ROWS, BLOCK) for number in range(2)]


def started(folder: Path, log: Path, seconds: float) -> subprocess.Popen[bytes]:
    arguments = [str(folder), str(log), str(seconds)]
    return subprocess.Popen([sys.executable, "-c", _PROGRAM, *arguments])


def begun(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def check(folder: Path) -> None:
    for number, part in enumerate(parts(folder)):
        found = part.whole()
        assert found is not None
        wanted = np.arange(ROWS, dtype=np.float32) + 1000 * number
        assert np.array_equal(found[0], wanted[:, None].repeat(3, 1))
        assert np.array_equal(found[1], wanted[:, None].astype(np.int16))
    assert {path.name for path in folder.glob("*-*.lock")} == set()


def test_what_a_killed_process_had_finished_is_not_computed_again(tmp_path: Path) -> None:
    folder, first, second = tmp_path / "rows", tmp_path / "first", tmp_path / "second"
    process = started(folder, first, 0.05)
    while len(begun(first)) < 8:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert parts(folder)[0].whole() is None
    missing = sum(len(part.missing()) for part in parts(folder))
    assert missing == 2 * BLOCKS - (len(begun(first)) - 1)
    assert started(folder, second, 0).wait() == 0
    assert len(begun(second)) == missing
    check(folder)


def test_processes_share_the_work_and_compute_each_block_once(tmp_path: Path) -> None:
    folder, logs = tmp_path / "rows", [tmp_path / "first", tmp_path / "second"]
    running = [started(folder, log, 0.1) for log in logs]
    assert [process.wait() for process in running] == [0, 0]
    shares = [begun(log) for log in logs]
    assert all(len(share) > 1 for share in shares)
    together = [block for share in shares for block in share]
    assert len(together) == len(set(together)) == 2 * BLOCKS
    check(folder)


def chunks(part: int, span: range) -> Iterator[Arrays]:
    rows = np.arange(span.start, span.stop, dtype=np.float32)[:, None] + 1000 * part
    yield [rows.repeat(3, 1), rows.astype(np.int16)]


@pytest.mark.parametrize("name", ["view0-a.npy", "view0-b.npy", "view0.done"])
def test_what_is_cut_off_or_gone_is_filled_again(name: str, tmp_path: Path) -> None:
    for harm in ("cut", "gone"):
        fill(parts(tmp_path), chunks)
        check(tmp_path)
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:7]) if harm == "cut" else path.unlink()
        assert parts(tmp_path)[0].whole() is None
        fill(parts(tmp_path), chunks)
        check(tmp_path)


def test_many_rows_are_in_larger_blocks(tmp_path: Path) -> None:
    part = SharedRows(tmp_path / "view", ("a",), 1_000_000, 64)
    assert part.block % 64 == 0
    spans = [part.span(number) for number in part.missing()]
    assert len(spans) <= 512
    assert [row for span in spans for row in (span.start, span.stop)][1:-1:2] == [
        span.start for span in spans[1:]
    ]
    assert (spans[0].start, spans[-1].stop) == (0, 1_000_000)


def test_whoever_waits_for_what_another_never_finishes_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_rows, "PATIENCE_SECONDS", 0.3)
    with lock(tmp_path / "view1-12.lock"), pytest.raises(Locked, match="another process"):
        fill(parts(tmp_path), chunks)
    assert [part.missing() for part in parts(tmp_path)] == [[], [12]]
