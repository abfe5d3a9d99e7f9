"""One driver a study: two that want it, one that died, one that slept."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pool_support import make_study
from postgres_support import Postgres
from sqlalchemy import Connection, text
from test_results import work

from iterate.hpo.ledger import Ledger
from iterate.hpo.replay import Recorded
from iterate.hpo.storage import journal
from iterate.hpo.storage.lease import DRIVERS, owned
from iterate.hpo.storage.open import opened_storage
from iterate.hpo.storage.process import Process
from iterate.hpo.storage.truth import Truth
from iterate.run.session import RunSettings, run_studies
from iterate_core.errors import RequestError, WorkError

DRIVER = """
import sys
from dataclasses import replace
from pathlib import Path
from iterate.hpo.storage.lease import owned
from iterate.hpo.storage.open import opened_storage

url, folder = sys.argv[1], Path(sys.argv[2])
with opened_storage(url, folder) as storage, owned(storage, ["study"], folder):
    print("at work", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a database that several folders share; without leases of an earlier test."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shared.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    yield server.url
    with opened_storage(server.url, tmp_path) as storage, connection_of(storage) as connection:
        connection.execute(text("DROP TABLE IF EXISTS iterate_drivers, iterate_owners"))


@contextmanager
def connection_of(storage: Truth) -> Iterator[Connection]:
    with storage.journal.tables.engine.begin() as connection:
        yield connection


@contextmanager
def driver(url: str, folder: Path) -> Iterator[Truth]:
    """Another driver, with a folder of its own."""
    folder.mkdir(exist_ok=True)
    with opened_storage(url, folder) as storage, owned(storage, ["study"], folder):
        yield storage


@pytest.fixture
def other(url: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is at work on the study."""
    command = [sys.executable, "-c", DRIVER, url, str(tmp_path / "first")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        yield process
        process.kill()


def test_a_second_driver_is_refused_and_a_killed_one_followed_at_once(
    url: str, other: subprocess.Popen[str], tmp_path: Path
) -> None:
    settings = RunSettings("study", tmp_path / "second", storage=url)
    with pytest.raises(RequestError) as refused:
        run_studies([make_study(trials=1)], settings, train=Recorded(lambda job: [0.5]))
    (problem,) = refused.value.problems
    assert problem.where == "search.storage"
    assert f"process {other.pid} on" in problem.what
    assert str(tmp_path / "first") in problem.what
    other.send_signal(signal.SIGKILL)
    other.wait()
    with driver(url, tmp_path / "second"):
        pass


def test_of_many_that_begin_together_one_works(url: str, tmp_path: Path) -> None:
    together, over = threading.Barrier(5, timeout=120), threading.Barrier(5, timeout=120)
    outcomes: list[str] = []

    def begin(storage: Truth) -> None:
        together.wait()
        try:
            with owned(storage, ["study", "another"], tmp_path):
                outcomes.append("works")
                over.wait()
        except RequestError:
            outcomes.append("refused")
            over.wait()

    with ExitStack() as stack:
        storages = [stack.enter_context(opened_storage(url, tmp_path)) for _ in range(5)]
        threads = [threading.Thread(target=begin, args=(storage,)) for storage in storages]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == ["refused"] * 4 + ["works"]


def elsewhere(storage: Truth, *, silent: bool) -> None:
    """Make the driver of a storage one of another machine, perhaps not heard of for long."""
    with connection_of(storage) as connection:
        connection.execute(DRIVERS.update().values(machine="another"))
        if silent:
            connection.execute(DRIVERS.update().values(heard=text("'2001-01-01 00:00:00'")))


def test_a_driver_elsewhere_keeps_its_study_while_it_is_heard_of(url: str, tmp_path: Path) -> None:
    with driver(url, tmp_path / "first") as storage:
        elsewhere(storage, silent=False)
        with (
            pytest.raises(RequestError, match="another process is at work on the study 'study'"),
            driver(url, tmp_path / "second"),
        ):
            pass


def test_a_driver_that_slept_through_its_lease_writes_no_more(url: str, tmp_path: Path) -> None:
    study = make_study(trials=3, sampler={"name": "random"})
    first = driver(url, tmp_path / "first")
    sleeper = first.__enter__()
    old = Ledger(study, sleeper, tmp_path)
    before = len(old.history("trial"))
    elsewhere(sleeper, silent=True)
    with driver(url, tmp_path / "second") as storage:
        new = Ledger(study, storage, tmp_path)
        work(new, [0.25])
        with pytest.raises(WorkError, match="another one has its studies now"):
            work(old, [0.75])
        work(new, [0.5])
    with pytest.raises(WorkError, match="another one has its studies now"):
        first.__exit__(None, None, None)
    with opened_storage(url, tmp_path) as looked:
        found = Ledger(study, looked, tmp_path).history("trial")[before:]
        assert [trial.value for trial in found] == [0.25, 0.5]


def test_a_batch_whose_answer_was_lost_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_FIRST_WAIT_SECONDS", 0.0)
    study = make_study(trials=2, sampler={"name": "random"})
    with opened_storage(None, tmp_path) as storage, owned(storage, ["study"], tmp_path):
        ledger = Ledger(study, storage, tmp_path)
        dialect = storage.journal.tables.engine.dialect
        commit, lost = dialect.do_commit, []

        def lose_the_answer(connection: object) -> None:
            commit(connection)  # type: ignore[arg-type]
            if len(lost) < 3:
                lost.append(connection)
                raise sqlite3.OperationalError("database is locked")

        monkeypatch.setattr(dialect, "do_commit", lose_the_answer)
        work(ledger, [0.5])
        work(ledger, [0.6])
    assert len(lost) == 3
    with opened_storage(None, tmp_path) as storage:
        trials = Ledger(study, storage, tmp_path).history("trial")
    assert [trial.value for trial in trials] == [0.5, 0.6]


def test_a_process_is_told_from_a_later_one_of_its_number() -> None:
    this = Process.this()
    assert not this.gone
    assert replace(this, birth="another").gone
    assert not replace(this, birth="another", machine="elsewhere").gone
