"""The Optuna storage of a run: the truth."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.engine import make_url

from iterate.core.errors import Problem, RequestError


def open_storage(url: str | None, folder: Path) -> BaseStorage:
    """Open the storage at a database URL, or ``studies.db`` in the run's folder.

    Raises:
        RequestError: The database cannot be reached or opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    place = str(folder / "studies.db")
    try:
        if url is None:
            return _sqlite(folder / "studies.db")
        parsed = make_url(url)
        place = parsed.render_as_string(hide_password=True)
        if parsed.drivername == "postgresql":
            # The driver that the extra `postgres` installs.
            parsed = parsed.set(drivername="postgresql+psycopg")
        return optuna.storages.get_storage(parsed.render_as_string(hide_password=False))
    except (sqlalchemy.exc.SQLAlchemyError, ImportError, RuntimeError) as error:
        what = f"cannot open {place} ({_reason(error)})."
        raise RequestError(Problem("search.storage", what)) from error


@contextmanager
def opened_storage(url: str | None, folder: Path) -> Iterator[BaseStorage]:
    """As `open_storage`, and close its connections in the end."""
    storage = open_storage(url, folder)
    try:
        yield storage
    finally:
        close_storage(storage)


def close_storage(storage: BaseStorage) -> None:
    """Close the connections of a storage that `open_storage` opened."""
    database: Any = getattr(storage, "_backend", storage)  # Optuna wraps a database in a cache
    database.remove_session()
    database.engine.dispose()


def _reason(error: Exception) -> str:
    """The database's own words, without SQLAlchemy's frame around them."""
    original = getattr(error, "orig", None) or error.__cause__ or error
    return str(original).strip().splitlines()[0]


def _sqlite(path: Path) -> BaseStorage:
    """A SQLite file that one driver writes: a write-ahead log, flushed by the system.

    A killed process loses nothing that was committed; only a power cut may lose the last second.
    """

    def connect() -> sqlite3.Connection:
        # Not by the URL: in one, '?', '#', '%' and braces of a folder's name mean something else.
        return sqlite3.connect(path, timeout=60, check_same_thread=False)

    storage = RDBStorage(f"sqlite:///{path.name}", engine_kwargs={"creator": connect})
    sqlalchemy.event.listen(storage.engine, "connect", _configure)
    storage.engine.dispose()  # so that the connection already open is configured too
    return optuna.storages.get_storage(storage)


def _configure(connection: Any, record: Any) -> None:  # noqa: ARG001 - SQLAlchemy's signature
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
