"""Writing to a database that may be out of reach for a while.

What is to be written waits here in its order, and a run goes on meanwhile. Each batch is one
transaction that bears a number, and a driver that owns its studies notes the number of its last
batch within that transaction (see `iterate.hpo.storage.lease`). So a batch whose answer was lost
with the connection is not written twice, and one of a driver that has lost its studies not at all.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from sqlalchemy import exc
from sqlalchemy.orm import scoped_session, sessionmaker

from iterate_core.errors import IterateError, MachineError, WorkError

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 900.0
"""How long a database may be out of reach before the run ends."""

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 1.0, 30.0

_DATABASE = (StorageInternalError, exc.SQLAlchemyError, UpdateFinishedTrialError)
_OUTAGES = (
    *(exc.OperationalError, exc.InterfaceError, exc.TimeoutError),
    # What follows from a connection that broke earlier in a transaction.
    *(exc.PendingRollbackError, exc.ResourceClosedError),
)

T = TypeVar("T")
Write = Callable[[], object]
Fence = Callable[[sqlalchemy.Connection, int], bool]
"""Given a batch's number, within its transaction: whether it is still to be written. Raises
`WorkError` where the driver may write no more."""


@dataclass
class _Outage:
    """Since when a database is out of reach, and when it is tried again."""

    began: float
    again: float
    wait: float


class Journal:
    """Writes batches in their order, each once. Safe from any thread.

    Args:
        tables: Optuna's, in the database.
        place: How messages call the database.
    """

    def __init__(self, tables: RDBStorage, place: str) -> None:
        self.tables = tables
        self.fence: Fence | None = None
        self._place = place
        self._waiting: deque[tuple[int, Sequence[Write]]] = deque()
        self._number = 0
        self._outage: _Outage | None = None
        self._lock = threading.RLock()

    def write(self, batch: Sequence[Write]) -> None:
        """Write a batch now, or once the database answers again.

        Raises:
            MachineError: It has been out of reach for too long.
            WorkError: It refuses the batch, or another driver has taken the studies over.
        """
        with self._lock:
            self._number += 1
            self._waiting.append((self._number, batch))
            self._work_off(wait=False)

    def read(self, ask: Callable[[], T]) -> T:
        """The answer to a question, once the database gives one.

        Raises:
            MachineError: As `write`.
            WorkError: As `write`.
        """
        with self._lock:
            self._work_off(wait=True)
            while True:
                try:
                    answer = ask()
                except _DATABASE as error:
                    self._bear(error)
                    self._sleep()
                else:
                    self._recovered()
                    return answer

    def settle(self) -> None:
        """Wait until everything is written.

        Raises:
            MachineError: As `write`.
            WorkError: As `write`.
        """
        with self._lock:
            self._work_off(wait=True)

    def leave(self) -> None:
        """Try once more to write what waits, and say what is lost if that fails."""
        with self._lock:
            if self._outage is not None:
                self._outage.again = 0.0
            try:
                self._work_off(wait=False)
            except IterateError as error:
                logger.warning("%s", error)
            if self._waiting:
                logger.warning(
                    "%d changes are not in %s; the same command continues from what is there.",
                    *(len(self._waiting), self._place),
                )
            self._waiting.clear()

    def _work_off(self, *, wait: bool) -> None:
        while self._waiting:
            if self._outage is not None and time.monotonic() < self._outage.again:
                if not wait:
                    return
                self._sleep()
            try:
                self._write(*self._waiting[0])
            except _DATABASE as error:
                self._bear(error)
                if not wait:
                    return
            else:
                self._waiting.popleft()
                self._recovered()

    def _write(self, number: int, batch: Sequence[Write]) -> None:
        with self._transaction() as connection:
            if self.fence is None or self.fence(connection, number):
                for write in batch:
                    write()
            if not connection.in_transaction():  # Optuna rolls back and says nothing
                raise WorkError(f"{self._place} holds other trials than this run has written")

    @contextmanager
    def _transaction(self) -> Iterator[sqlalchemy.Connection]:
        """Whatever Optuna's tables do in the block is one transaction."""
        sessions = self.tables.scoped_session
        with self.tables.engine.begin() as connection:
            # Optuna commits after each call, which such a session leaves to the transaction.
            joined = sessionmaker(bind=connection, join_transaction_mode="rollback_only")
            self.tables.scoped_session = scoped_session(joined)
            try:
                yield connection
            finally:
                self.tables.scoped_session.remove()
                self.tables.scoped_session = sessions

    def _sleep(self) -> None:
        if self._outage is not None:
            time.sleep(max(0.0, self._outage.again - time.monotonic()))

    def _bear(self, error: Exception) -> None:
        """Plan another try after an outage; whatever else went wrong ends the run in a sentence."""
        if isinstance(error, UpdateFinishedTrialError):
            what = f"another program has ended trials of this run in {self._place}"
            raise WorkError(f"{what}; the same command goes on from what is there") from error
        if not is_outage(error):
            what = f"{self._place} refuses what the run writes ({reason(error)})"
            raise WorkError(f"{what}; once that is mended, the same command continues") from error
        now = time.monotonic()
        if self._outage is None:
            self._outage = _Outage(now, now + _FIRST_WAIT_SECONDS, _FIRST_WAIT_SECONDS)
            logger.warning(
                "%s is out of reach (%s). The run goes on for %d minutes; what it has to write is "
                "kept, and written as soon as the database answers.",
                *(self._place, reason(error), PATIENCE_SECONDS / 60),
            )
            return
        if now - self._outage.began >= PATIENCE_SECONDS:
            minutes = round((now - self._outage.began) / 60)
            what = f"{self._place} has been out of reach for {minutes} minutes ({reason(error)})"
            raise MachineError(what) from error
        self._outage.wait = min(2 * self._outage.wait, _LONGEST_WAIT_SECONDS)
        self._outage.again = now + self._outage.wait

    def _recovered(self) -> None:
        if self._outage is not None:
            seconds = time.monotonic() - self._outage.began
            self._outage = None
            logger.warning("%s answers again after %.0f s.", self._place, seconds)


def is_outage(error: Exception) -> bool:
    """Whether trying again later may help: the server is away, or a file is locked."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    original = getattr(cause, "orig", None)
    if type(original).__module__.startswith("sqlite3"):
        return isinstance(cause, exc.OperationalError) and "locked" in str(original)
    return isinstance(cause, _OUTAGES) or bool(getattr(cause, "connection_invalidated", False))


def reason(error: Exception) -> str:
    """The database's own words, without SQLAlchemy's frame around them."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    original = getattr(cause, "orig", None) or error.__cause__ or error
    return (str(original).strip().splitlines() or [type(original).__name__])[0].rstrip(".")
