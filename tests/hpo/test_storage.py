"""Where the truth lies: SQLite by default, PostgreSQL by URL; with a real server."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pool_support import make_study
from postgres_support import Postgres
from test_results import work

from iterate.hpo.ledger import Ledger
from iterate.hpo.storage.open import open_storage, opened_storage
from iterate_core.errors import RequestError


def test_studies_in_postgresql_are_continued_and_kept_apart(
    postgres: Postgres, tmp_path: Path
) -> None:
    one = make_study("one", trials=3, repeats=1, sampler={"name": "random"})
    two = make_study("two", trials=1, sampler={"name": "random"})
    with opened_storage(postgres.url, tmp_path) as storage:
        first = Ledger(one, storage, tmp_path)
        work(first, [0.1, 0.4])
        interrupted = first.next_job()
    with opened_storage(postgres.url, tmp_path) as storage:
        work(Ledger(two, storage, tmp_path), [0.9])
    with opened_storage(postgres.url, tmp_path) as storage:
        continued = Ledger(one, storage, tmp_path)
        assert continued.next_job() == interrupted
        assert len(continued.history("trial")) == 2
        best = continued.best()
        assert best is not None
        assert best.value == 0.4
        assert best.state == "COMPLETE"
    assert not list(tmp_path.glob("*.db"))


def test_the_default_storage_is_a_file_in_the_folder(tmp_path: Path) -> None:
    Ledger(make_study(trials=1), open_storage(None, tmp_path), tmp_path)
    assert (tmp_path / "studies.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "studies",
        "postgres://tester:secret@127.0.0.1:1/none",
        "mysql+nothing://tester:secret@127.0.0.1:1/none",
        "redis://:secret@127.0.0.1:1",
        "sqlite://",
        "sqlite:////absent/folder/studies.db",
        "postgresql://tester:secret@127.0.0.1:1/none",
        "postgresql://tester:secret@127.0.0.1/none?password=secret&port=1",
        "postgresql://tester:sec:secret@127.0.0.1:secret/none",
        "postgresql://tester:{secret}@no.such.host.invalid/none",
    ],
)
def test_a_url_that_leads_nowhere_is_a_wrong_request(url: str, tmp_path: Path) -> None:
    """Whatever is wrong with it; and a password is not repeated in messages."""
    with pytest.raises(RequestError) as refused:
        open_storage(url, tmp_path)
    (problem,) = refused.value.problems
    assert problem.where == "search.storage"
    assert "secret" not in str(refused.value)
    if "@127.0.0.1:1/" in url:
        assert "127.0.0.1:1" in problem.what


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgres://me:secret@host/studies", "Write postgresql:// instead."),
        ("mysql://me:secret@host/studies", "pip install mysqlclient"),
        ("mysql+pymysql://me:secret@host/studies", "pip install pymysql"),
        ("postgresql+psycopg2://me:secret@host/studies", "pip install psycopg2-binary"),
    ],
)
def test_a_url_says_what_is_to_be_written_or_installed(
    url: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MySQLdb", "pymysql", "psycopg2"):  # whatever this machine has
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RequestError) as refused:
        open_storage(url, tmp_path)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_wrong_password_is_a_wrong_request(postgres: Postgres, tmp_path: Path) -> None:
    postgres.ask_for_a_password("guarded")
    with pytest.raises(RequestError, match="password authentication failed") as refused:
        open_storage(postgres.url.replace("tester", "guarded:secret"), tmp_path)
    assert "secret" not in str(refused.value)


def test_braces_in_a_password_are_part_of_it(postgres: Postgres, tmp_path: Path) -> None:
    with opened_storage(postgres.url.replace("tester", "tester:%7Bx%7D{0}"), tmp_path):
        pass


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "studies.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(RequestError) as refused:
        open_storage(None, tmp_path)
    assert "studies.db" in str(refused.value)
