"""The Optuna storage of a run: the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, RDBStorage

from iterate.core.errors import Problem, RequestError


def open_storage(url: str | None, folder: Path) -> BaseStorage:
    """Open the storage at a database URL, or ``studies.db`` in the run's folder.

    Raises:
        RequestError: The database cannot be reached or opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if url is not None:
            return optuna.storages.get_storage(url)
        return _sqlite(folder / "studies.db")
    except (sqlalchemy.exc.SQLAlchemyError, ImportError, RuntimeError) as error:
        place = url if url is not None else str(folder / "studies.db")
        raise RequestError(
            Problem("search.storage", f"cannot open {place!r} ({str(error).splitlines()[0]}).")
        ) from error


def _sqlite(path: Path) -> BaseStorage:
    """A SQLite file that one driver writes: a write-ahead log, flushed by the system.

    A killed process loses nothing that was committed; only a power cut may lose the last second.
    """
    storage = RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}})
    sqlalchemy.event.listen(storage.engine, "connect", _configure)
    storage.engine.dispose()  # so that the connection already open is configured too
    return optuna.storages.get_storage(storage)


def _configure(connection: Any, record: Any) -> None:  # noqa: ARG001 - SQLAlchemy's signature
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
