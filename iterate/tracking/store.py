"""Where MLflow keeps what it is given: a SQLite file and a folder, unless a URI names a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from iterate_core.secrets import without_passwords
from iterate_core.storage import files

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
_DATABASE_SCHEMES = ("sqlite", "postgresql", "mysql", "mssql")


@dataclass(frozen=True)
class Place:
    """A tracking store.

    Attributes:
        uri: What MLflow calls the tracking URI.
        artifacts: Location of a new experiment's artifacts; None where the server decides it.
        default: The SQLite file of `folder`, which is made when it is missing.
        folder: Where the default store lies.
    """

    uri: str
    artifacts: str | None
    default: bool
    folder: Path

    @property
    def shown(self) -> str:
        """The URI without its password, for messages."""
        return without_passwords(self.uri)


def place(uri: str | None, folder: Path) -> Place:
    """The store that a URI names, or the default one of a folder. Touches nothing."""
    folder = folder.absolute()
    artifacts = (folder / ARTIFACTS).as_uri()
    if uri is None:
        return Place(sqlite_uri(folder / DATABASE), artifacts, True, folder)
    scheme = uri.partition(":")[0].partition("+")[0]
    # A database keeps no files; MLflow would put them into the current folder.
    return Place(uri, artifacts if scheme in _DATABASE_SCHEMES else None, False, folder)


def sqlite_uri(path: Path) -> str:
    """The SQLAlchemy URL of a SQLite file."""
    return f"sqlite:///{path.absolute()}"


def import_mlflow(after: Callable[[], None]) -> None:
    """Import it in a thread, once something is over that needs the processor more.

    It takes two seconds, which a command has while its first trials are made ready.
    """

    def work() -> None:
        after()
        import mlflow
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401 - the half of it

    Thread(target=work, name="mlflow-import", daemon=True).start()


def open_store(where: Place) -> MlflowClient:
    """A client of the store; the default store is made first if it is missing.

    Importing MLflow takes seconds: call this from the thread that does the writing.
    """
    if where.default:
        create_default(where.folder)
    from mlflow import MlflowClient

    return MlflowClient(where.uri, registry_uri=where.uri)


def create_default(folder: Path) -> Path:
    """Make the default store unless it is there; it is whole or absent, however we are stopped.

    MLflow reaches its newest schema through dozens of migrations, and one interrupted half-way
    leaves a database that it refuses for ever. They are therefore run in memory (also nearly
    twice as fast as in a file), and the result takes its place in one step.

    Returns:
        The database's path.

    Raises:
        iterate_core.storage.files.Locked: Another process has been making it for over a minute.
        OSError: The folder cannot be written.
    """
    path = folder / DATABASE
    if path.exists():
        return path
    with files.lock(folder / f".{DATABASE}.lock", wait_seconds=60):
        if not path.exists():
            content = _fresh_database((folder / ARTIFACTS).as_uri())
            with files.replacing(path) as part:
                part.write_bytes(content)
    return path


def _fresh_database(artifacts: str) -> bytes:
    # The whole package first: Ray imports it too, in the main thread, and Python locks modules
    # from the innermost out, so that beginning with an inner one may end in a deadlock.
    import mlflow  # noqa: F401
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore("sqlite:///:memory:", artifacts)  # type: ignore[no-untyped-call]
    # MLflow's own "Default" would stand empty beside our experiments.
    default = SqlAlchemyStore.DEFAULT_EXPERIMENT_ID
    store.delete_experiment(default)  # type: ignore[no-untyped-call]
    connection = store.engine.raw_connection()
    try:
        content: bytes = connection.driver_connection.serialize()  # type: ignore[union-attr]
    finally:
        connection.close()
        # MLflow keeps the engine for the life of the process; without this the next caller
        # would find our tables in "its" memory.
        store.engine.dispose()
    return content
