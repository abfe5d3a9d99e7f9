"""Packing by several processes: the bytes that one writes alone, whatever becomes of the others."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_support import RGB, recipe

from iterate_core.data.dataset import SPLITS, Boxes, DatasetInfo, Sample, Split
from iterate_core.data.store import helpers, packing
from iterate_core.data.store.pack import Pack, pack
from iterate_core.engine import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.errors import DataError

COUNT, SIDE = 40, 8
SIZES: dict[Split, int] = {"train": COUNT, "val": 3, "test": 3}
MAY_FORK = helpers.may_fork
FORK = multiprocessing.get_context("fork")


@dataclass
class Drawn:
    """A reader of samples that differ in all they have, which writes down who read what.

    Attributes:
        info: The declaration.
        log: The file it writes to.
        seconds: That each sample takes, so that nobody is done before others have begun.
        damaged: Of which samples pixels are missing.
    """

    info: DatasetInfo
    log: Path
    seconds: float = 0.0
    damaged: tuple[str, ...] = ()

    def names(self, split: Split) -> Sequence[str]:
        return [f"{split}-{number}" for number in range(self.info.sizes[split])]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        del bands
        with self.log.open("a") as file:
            file.write(f"{os.getpid()} {name}\n")
        time.sleep(self.seconds)
        number = int(name.partition("-")[2])
        random = np.random.default_rng(number)
        image = random.normal(1e6, 100, (3, SIDE, SIDE)).astype(np.float32)
        if name in self.damaged:
            image[0, 0, 0] = np.nan
        known = number % 3 > 0
        dates = ((2020, 1 + number),) if known else None
        place = (float(number), np.float32(0.1)) if known else None
        return Sample(name, image, self._target(random), dates, place)

    def fingerprint(self) -> str:
        return self.info.task

    def _target(self, random: np.random.Generator) -> Any:
        if self.info.task == "detection":
            corners = random.uniform(0, SIDE, (int(random.integers(3)), 2, 2)).astype(np.float32)
            corners.sort(axis=1)
            return Boxes(corners.reshape(-1, 4), random.integers(2, size=len(corners)))
        if self.info.task == "regression":
            values = random.normal(1e4, 1, (SIDE, SIDE))
            return np.where(random.random((SIDE, SIDE)) < 0.2, np.nan, values)
        return random.integers(2, size=(SIDE, SIDE))


def drawn(folder: Path, task: str = "regression", **changes: Any) -> Drawn:
    classes = ("height",) if task == "regression" else ("a", "b")
    info = DatasetInfo("drawn", task, classes, RGB, dict(SIZES), SIDE, SIDE)
    return Drawn(info, folder / "log", **changes)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of three samples, and help with any split, whatever threads other tests left."""
    monkeypatch.setattr(helpers, "may_fork", lambda: True)
    monkeypatch.setattr(packing, "BLOCK_BYTES", 3 * 3 * SIDE * SIDE * 4)
    monkeypatch.setattr(packing, "HELPED_BYTES", 0)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


def read(log: Path) -> list[tuple[str, str]]:
    """Who read which sample."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(process, name) for process, name in map(str.split, lines)]


@pytest.mark.parametrize("task", ["segmentation", "regression", "detection"])
def test_several_processes_pack_what_one_packs_alone(
    task: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    alone = pack(drawn(tmp_path, task), None, tmp_path / "alone")
    alone.prepare(SPLITS, helpers=0)
    assert {process for process, _ in read(tmp_path / "log")} == {str(os.getpid())}
    (tmp_path / "log").unlink()
    request.getfixturevalue("small_blocks")
    together = pack(drawn(tmp_path, task, seconds=0.005), None, tmp_path / "together")
    together.prepare(SPLITS, helpers=2)
    assert files(together.folder) == files(alone.folder)
    assert len({process for process, _ in read(tmp_path / "log")}) > 1
    counts = Counter(name for _, name in read(tmp_path / "log"))
    # Of the first sample each process learns the types of all.
    assert {name for name, count in counts.items() if count > 1} <= {f"{s}-0" for s in SPLITS}
    assert len(counts) == sum(SIZES.values())


def test_packing_goes_on_where_a_killed_process_stopped(tmp_path: Path, small_blocks: None) -> None:
    expected = pack(drawn(tmp_path), None, tmp_path / "alone")
    expected.names("train")
    killed = pack(drawn(tmp_path, seconds=0.01), None, tmp_path / "cache")
    (tmp_path / "log").unlink()
    process = FORK.Process(target=killed.names, args=("train",))
    process.start()
    while len(read(tmp_path / "log")) < 15:
        time.sleep(0.005)
    process.kill()
    process.join()
    finished = {name for _, name in read(tmp_path / "log")[1:12]}  # four blocks at least
    (tmp_path / "log").unlink()
    packed = pack(drawn(tmp_path), None, tmp_path / "cache")
    packed.names("train")
    assert not finished & {name for _, name in read(tmp_path / "log")}
    assert files(packed.folder) == files(expected.folder)


def told(packed: Pack, channel: Any) -> None:
    try:
        packed.names("train")
    except DataError as error:
        channel.send(str(error))


def test_every_process_tells_the_first_damaged_sample(tmp_path: Path, small_blocks: None) -> None:
    damaged = ("train-38", "train-7", "train-20")
    packed = pack(drawn(tmp_path, seconds=0.01, damaged=damaged), None, tmp_path / "cache")
    channels = []
    for _ in range(3):
        mine, theirs = FORK.Pipe(duplex=False)
        FORK.Process(target=told, args=(packed, theirs)).start()
        channels.append(mine)
    for channel in channels:
        assert channel.poll(30)
        assert channel.recv() == (
            "dataset drawn, sample train-7: has 1 pixel values that are not finite. "
            "Fill them, or leave the sample out."
        )
    for process in multiprocessing.active_children():
        process.join()
    left = {path.name for path in packed.folder.iterdir()}
    assert left == {"train.lock", "used.lock"}


def test_a_damaged_sample_that_a_helper_finds_is_told(tmp_path: Path, small_blocks: None) -> None:
    reader = drawn(tmp_path, seconds=0.01, damaged=("train-11",))
    packed = pack(reader, None, tmp_path / "cache")
    with pytest.raises(DataError, match="sample train-11: has 1 pixel values"):
        packed.prepare(["train"], helpers=2)
    assert len({process for process, _ in read(tmp_path / "log")}) > 1
    assert multiprocessing.active_children() == []
    mended = pack(replace(reader, damaged=()), None, tmp_path / "cache")
    assert len(mended.names("train")) == COUNT


def test_a_process_with_threads_packs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_blocks: None
) -> None:
    monkeypatch.setattr(helpers, "may_fork", MAY_FORK)
    packed = pack(drawn(tmp_path, seconds=0.005), None, tmp_path / "cache")
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        packed.prepare(["train"], helpers=2)
    finally:
        end.set()
        thread.join()
    assert {process for process, _ in read(tmp_path / "log")} == {str(os.getpid())}


@pytest.mark.parametrize(("large", "processes"), [(True, 3), (False, 1)])
def test_a_check_packs_large_splits_with_all_cores(
    large: bool,
    processes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    small_blocks: None,
) -> None:
    from iterate_core.data.geobench_v1.reader import GeoBenchV1

    monkeypatch.setattr(preflight, "usable_cores", lambda: 3)
    if not large:
        monkeypatch.setattr(packing, "HELPED_BYTES", 1 << 30)
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    read_one: Callable[..., Sample] = GeoBenchV1.read

    def logged(self: GeoBenchV1, name: str, bands: Sequence[str]) -> Sample:
        with (tmp_path / "log").open("a") as file:
            file.write(f"{os.getpid()} {name}\n")
        time.sleep(0.01)
        return read_one(self, name, bands)

    monkeypatch.setattr(GeoBenchV1, "read", logged)
    prepared = prepare(recipe(data={"samples": (48, 3, 3)}))
    preflight.preflight(prepared)
    assert all(prepared.pack.holds(split) for split in SPLITS)
    log = read(tmp_path / "log")
    assert len({process for process, name in log if name.startswith("train")}) == processes


def test_an_empty_split_is_a_sentence(tmp_path: Path) -> None:
    reader = drawn(tmp_path)
    reader.info.sizes["test"] = 0
    with pytest.raises(DataError, match="drawn: its test split is empty"):
        pack(reader, None, tmp_path / "cache").names("test")
