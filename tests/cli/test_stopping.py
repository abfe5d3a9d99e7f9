"""A command that is told to stop, or loses Ray, says so in a sentence and leaves nothing running.

The command is the real one, with a stand-in for what trains; what trains is not what is asked here.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from resume_support import SEARCH

DRIVER = """
    import functools, sys, time
    from iterate.config import studies
    from iterate_core.engine.reports import EpochReport
    from iterate.run import session
    from iterate.hpo.jobs import Progress

    def train(job):
        for epoch in range(1, 10**6):
            report = EpochReport(epoch, {"val/accuracy": 0.5}, 0.5, 0.5, 0.2, False)
            yield Progress((report,))
            time.sleep(0.2)

    studies.try_branches = lambda branches: ()
    session.run_studies = functools.partial(session.run_studies, train=train)
    from iterate.cli.main import main
    main()
"""


class Running:
    """A search at work.

    Args:
        folder: Its own.
        words: What it is asked in more words.
        workers: How many trials are under way before it is let go on.

    Attributes:
        process: The command.
        family: All that it started.
        told: What it said on standard error.
    """

    def __init__(self, folder: Path, *words: str, workers: int = 1) -> None:
        (folder / "search.yaml").write_text(SEARCH, encoding="utf-8")
        (folder / "driver.py").write_text(textwrap.dedent(DRIVER), encoding="utf-8")
        self._errors = folder / "errors.txt"
        asked = ["search.trials=4", "trainer.epochs=1000000", f"resources.concurrent={workers}"]
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "driver.py", "hpo", "search.yaml", "--out", "out", *asked, *words],
                cwd=folder,
                stderr=errors,
                stdout=subprocess.DEVNULL,
                env=os.environ | {"ITERATE_CACHE": str(folder / "cache")},
            )
        self.family: list[psutil.Process] = []
        while f"trial {workers - 1} epoch 1" not in self.told:
            assert self.process.poll() is None, self.told
            time.sleep(0.1)
        self.family = psutil.Process(self.process.pid).children(recursive=True)

    @property
    def told(self) -> str:
        return self._errors.read_text(encoding="utf-8")

    def ended(self) -> int:
        """Its exit code; nothing that it started is there any longer."""
        code = self.process.wait(60)
        # What was killed may take a moment to be gone.
        _, left = psutil.wait_procs(self.family, timeout=2)
        assert [member for member in left if not _zombie(member)] == []
        return code

    def kill(self) -> None:
        for member in [self.process, *self.family]:
            if isinstance(member, subprocess.Popen) or member.is_running():
                member.kill()
        self.process.wait()


def _zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


Start = Callable[..., Running]
UNTRACKED = "tracking.enabled=false"
RAY = "ray.address=local"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []

    def begin(*words: str, workers: int = 1) -> Running:
        started.append(Running(tmp_path, *words, workers=workers))
        return started[-1]

    yield begin
    for running in started:
        running.kill()


@pytest.mark.parametrize("ray", [False, True])
def test_sigterm_ends_a_search_in_order_and_all_its_sockets_are_on_loopback(
    start: Start, ray: bool
) -> None:
    running = start(*[RAY] * ray, workers=2)
    places = [
        connection.laddr.ip
        for member in [psutil.Process(running.process.pid), *running.family]
        for connection in member.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN or connection.type.name == "SOCK_DGRAM"
    ]
    # Ray's store, node manager, driver and workers; forks need none.
    assert len(places) >= 5 if ray else places == []
    assert [place for place in places if not _loopback(place)] == []
    running.process.send_signal(signal.SIGTERM)
    assert running.ended() == 143
    assert "stopped  Nothing is lost: the same command continues." in running.told
    assert "Traceback" not in running.told
    assert "***" not in running.told


def _loopback(place: str) -> bool:
    address = ipaddress.ip_address(place)
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def test_ctrl_c_ends_a_search_with_its_own_code(start: Start) -> None:
    running = start(UNTRACKED)
    running.process.send_signal(signal.SIGINT)
    assert running.ended() == 130
    assert running.told.count("stopped  Nothing is lost: the same command continues.") == 1


@pytest.mark.slow
def test_a_second_signal_ends_it_now(start: Start) -> None:
    running = start(workers=2)
    # Another one than the first: two of a kind that wait to be answered are one.
    running.process.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    running.process.send_signal(signal.SIGINT)
    assert running.ended() in (130, 143)
    sentence = "stopped at once  The same command continues from what was written.\n"
    assert running.told.endswith(sentence)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_the_death_of_ray_is_said_in_a_sentence(start: Start, name: str) -> None:
    running = start(UNTRACKED, RAY)
    told = f"Ray itself has died on this machine (its process {name} is gone)"
    _dies_of(running, name, told)


def test_the_death_of_what_forks_workers_is_said_in_a_sentence(start: Start) -> None:
    running = start(UNTRACKED)
    _dies_of(running, "iterate-server", "the process that workers are forked from has died")


def _dies_of(running: Running, name: str, told: str) -> None:
    (vital,) = [member for member in running.family if member.name() == name]
    vital.kill()
    assert running.ended() == 1
    assert told in running.told
    assert "Traceback" not in running.told


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)],
)
def test_a_fit_ends_in_order_and_keeps_its_checkpoint(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    recipe = SEARCH.partition("name: ")[0] + (
        "data: {kind: classification, samples: [8, 4, 4], size: 16}\n"
        "model: {backbone: {name: resnet10t, weights: none}}\n"
        "trainer: {epochs: 1000000, patience: null}\n"
    )
    (tmp_path / "mine.yaml").write_text(recipe, encoding="utf-8")
    with (tmp_path / "errors.txt").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "iterate", "fit", "mine.yaml", "--out", "out"],
            cwd=tmp_path,
            stderr=errors,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"ITERATE_CACHE": str(tmp_path / "cache")},
        )
    told = tmp_path / "errors.txt"
    while "epoch   1/" not in told.read_text() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(number)
    assert process.wait(60) == code, told.read_text()
    assert told.read_text().endswith("stopped  Nothing is lost: the same command continues.\n")
    assert (tmp_path / "out/last.ckpt").exists()
