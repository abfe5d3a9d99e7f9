"""The Optuna storage of a run: the truth."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, make_url

from iterate.hpo.storage.journal import Journal, reason
from iterate.hpo.storage.truth import Truth
from iterate_core.errors import Problem, RequestError

_TABLES = 16  # more than Optuna makes
_FORM = "It has the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE or sqlite:///FILE."
# The driver that the extra `postgres` installs.
_DRIVERS = {"postgresql": "postgresql+psycopg"}
# A driver's module → its package, where their names differ.
_PACKAGES = {
    "psycopg": "'geo-iterate[postgres]'",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
}
# A server that vanishes without a word is noticed in half a minute instead of a quarter of an hour.
_NOTICE = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}


def get_ready() -> None:
    """Do what the first storage of a process takes: Optuna imports half of what it needs then.

    That is some four tenths of a second, which a command has while others import.
    """
    tables = RDBStorage("sqlite://")
    tables.remove_session()
    tables.engine.dispose()


def open_storage(url: str | None, folder: Path) -> Truth:
    """Open the storage at a database URL, or ``studies.db`` in the run's folder.

    Raises:
        RequestError: The URL is wrong, or the database cannot be reached or opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    parsed = _parsed(url, folder)
    place = str(parsed.database) if _is_file(parsed) else _shown(parsed)
    try:
        tables = _tables(parsed)
    except Exception as error:
        if not isinstance(error, _REFUSALS):
            raise
        said = reason(error)
        if parsed.password:
            said = said.replace(str(parsed.password), "***")
        what = f"cannot open {place} ({said})."
        raise RequestError(Problem("search.storage", what, _missing_driver(error))) from error
    return Truth(Journal(tables, f"the storage {place}"))


def _missing_driver(error: BaseException) -> str | None:
    """What to install where a database's driver is not there."""
    while not isinstance(error, ModuleNotFoundError):
        if error.__cause__ is None:
            return None
        error = error.__cause__
    package = _PACKAGES.get(str(error.name), str(error.name))
    return f"Its driver is not installed: pip install {package}"


_REFUSALS = (
    sqlalchemy.exc.SQLAlchemyError,
    StorageInternalError,
    ImportError,
    *(RuntimeError, ValueError),  # Optuna's and drivers' own
)


@contextmanager
def opened_storage(url: str | None, folder: Path) -> Iterator[Truth]:
    """As `open_storage`; in the end everything is written, and its connections are closed.

    Raises:
        WorkError: The database was out of reach for too long at the end.
    """
    storage = open_storage(url, folder)
    try:
        yield storage
        storage.journal.settle()
    finally:
        close_storage(storage)


def close_storage(storage: Truth) -> None:
    """Close the connections of a storage that `open_storage` opened."""
    storage.journal.leave()
    tables = storage.journal.tables
    tables.remove_session()
    tables.engine.dispose()


def _parsed(url: str | None, folder: Path) -> URL:
    """A URL as given. Its text is not repeated in messages: there may be a password in it."""
    if url is None:
        return URL.create("sqlite", database=str(folder / "studies.db"))
    try:
        parsed = make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise RequestError(Problem("search.storage", "is no database URL.", _FORM)) from None
    if parsed.get_backend_name() == "postgres":
        what = f"cannot open {_shown(parsed)}: it begins with postgres://."
        raise RequestError(Problem("search.storage", what, "Write postgresql:// instead."))
    if _is_file(parsed) and not parsed.database:
        raise RequestError(Problem("search.storage", "names no file.", _FORM))
    return parsed


def _is_file(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _shown(url: URL) -> str:
    """Without the password, and without the words after the question mark: one may be there too."""
    return url.set(query={}).render_as_string(hide_password=True)


def _tables(url: URL) -> RDBStorage:
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if _is_file(url):
        return _file_tables(Path(str(url.database)))
    if url.drivername == "postgresql+psycopg":
        url = url.update_query_dict({k: v for k, v in _NOTICE.items() if k not in url.query})
    # Optuna fills in fields in braces, which are part of a password here.
    text = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    return _opened(text, {"pool_pre_ping": True})


def _file_tables(path: Path) -> RDBStorage:
    def connect() -> sqlite3.Connection:
        # Not by the URL: in one, '?', '#', '%' and braces of a folder's name mean something else.
        connection = sqlite3.connect(path, timeout=60, check_same_thread=False)
        # A write-ahead log, flushed by the system. A killed process loses nothing that was
        # committed; only a power cut may lose the last second.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    return _opened("sqlite:///studies.db", {"creator": connect})


def _opened(url: str, options: dict[str, Any]) -> RDBStorage:
    for _ in range(_TABLES):  # another process may be a table ahead each time
        try:
            return RDBStorage(url, engine_kwargs=options)
        except sqlalchemy.exc.DBAPIError as error:
            if not made_meanwhile(error):
                raise
    return RDBStorage(url, engine_kwargs=options)


def made_meanwhile(error: sqlalchemy.exc.DBAPIError) -> bool:
    """Whether tables could not be made because another process was making them."""
    exists = "already exists" in str(error.orig)
    return exists or isinstance(error, sqlalchemy.exc.IntegrityError)
