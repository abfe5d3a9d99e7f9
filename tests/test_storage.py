"""Where the truth lies: SQLite by default, PostgreSQL by URL; with a real server."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState
from pool_support import make_study
from test_results import work

from iterate.core.errors import RequestError
from iterate.run.storage import open_storage, opened_storage
from iterate.search.ledger import Ledger


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, on loopback."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    program = shutil.which("initdb") or (str(found[-1]) if found else None)
    if program is None:
        pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
    user = None
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        user = next(
            (entry.pw_name for entry in pwd.getpwall() if entry.pw_name == "postgres"), None
        )
        if user is None:
            pytest.skip("PostgreSQL refuses root, and there is no user postgres to run it as")
    folder = Path(tempfile.mkdtemp(prefix="iterate-postgres-"))
    if user is not None:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, programs = str(folder / "data"), Path(program).parent
    quiet = {"check": True, "user": user, "capture_output": True, "cwd": folder}
    subprocess.run([program, "-D", data, "-U", "tester", "--auth=trust"], **quiet)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control = str(programs / "pg_ctl")
    start = [control, "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start"]
    # Its output goes to the log: the server would keep a pipe of ours open.
    subprocess.run(start, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
    yield f"postgresql://tester@127.0.0.1:{port}/postgres"
    subprocess.run([control, "-D", data, "-m", "fast", "-w", "stop"], **quiet)
    shutil.rmtree(folder)


def test_studies_in_postgresql_are_continued_and_kept_apart(postgres: str, tmp_path: Path) -> None:
    one = make_study("one", trials=3, repeats=1, sampler={"name": "random"})
    two = make_study("two", trials=1, sampler={"name": "random"})
    with opened_storage(postgres, tmp_path) as storage:
        first = Ledger(one, storage, tmp_path)
        work(first, [0.1, 0.4])
        interrupted = first.next_job()
    with opened_storage(postgres, tmp_path) as storage:
        work(Ledger(two, storage, tmp_path), [0.9])
    with opened_storage(postgres, tmp_path) as storage:
        continued = Ledger(one, storage, tmp_path)
        assert continued.next_job() == interrupted
        assert len(continued.history("trial")) == 2
        best = continued.best()
        assert best is not None
        assert best.value == 0.4
        assert best.state == TrialState.COMPLETE
    assert not list(tmp_path.glob("*.db"))


def test_the_default_storage_is_a_file_in_the_folder(tmp_path: Path) -> None:
    Ledger(make_study(trials=1), open_storage(None, tmp_path), tmp_path)
    assert (tmp_path / "studies.db").exists()


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as refused:
        open_storage("postgresql://tester@127.0.0.1:1/none", tmp_path)
    (problem,) = refused.value.problems
    assert problem.where == "search.storage"
    assert "127.0.0.1:1" in problem.what


def test_a_password_is_not_repeated_in_messages(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as refused:
        open_storage("postgresql://tester:secret@127.0.0.1:1/none", tmp_path)
    assert "secret" not in str(refused.value)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "studies.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(RequestError) as refused:
        open_storage(None, tmp_path)
    assert "studies.db" in str(refused.value)
