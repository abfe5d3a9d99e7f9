"""One driver a study, by a lease that is kept in the study's own database.

Two tables beside Optuna's: every driver at work, with the moment it was last heard of; and every
study that has a driver. Why no two drivers can have one study:

* A free study is taken by inserting its row, whose key is the study's name: of two that try, the
  database lets one.
* A study of a driver that is gone (its process has ended, on this machine; or it was not heard of
  for `LEASE_SECONDS`) is taken by deleting that driver, on the condition that it has not stirred
  since we looked. Of two that try, one deletes a row, and the other is refused.
* A driver writes only in transactions that first update its own row (`_Lease.fence`). If that is
  gone, the transaction is not carried out: a driver that slept through its lease can do no harm
  when it wakes.

All of this is single statements on single rows by their keys, which SQLite, PostgreSQL and MySQL
carry out one after another. Times are the database's own, so clocks need not agree.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from sqlalchemy import BigInteger, Column, DateTime, MetaData, String, Table, func, select

from iterate.hpo.storage.open import made_meanwhile
from iterate.hpo.storage.process import Process
from iterate.hpo.storage.truth import Truth
from iterate_core.errors import Problem, RequestError, WorkError

logger = logging.getLogger(__name__)

LEASE_SECONDS = 180.0
"""A driver on another machine that was not heard of for so long has lost its studies."""

_SECONDS_BETWEEN_RENEWALS = 20.0

_METADATA = MetaData()
DRIVERS = Table(
    "iterate_drivers",
    _METADATA,
    Column("driver", String(32), primary_key=True),
    Column("place", String(1024), nullable=False),
    Column("machine", String(512), nullable=False),
    Column("process", BigInteger, nullable=False),
    Column("birth", String(128), nullable=False),
    Column("heard", DateTime(timezone=True), nullable=False),
    Column("stirred", BigInteger, nullable=False),  # how often it was heard of
    Column("written", BigInteger, nullable=False),  # the number of its last batch
)
OWNERS = Table(
    "iterate_owners",
    _METADATA,
    Column("study", String(512), primary_key=True),
    Column("driver", String(32), nullable=False),
)


@contextmanager
def owned(storage: Truth, studies: Sequence[str], folder: Path) -> Iterator[None]:
    """Own studies for the length of a run; all that was to be written is, at its end.

    Args:
        storage: Theirs.
        studies: Their names.
        folder: The run's, for the message that another driver gets.

    Raises:
        RequestError: Another driver is at work on one of them.
        WorkError: The database was out of reach for too long at the end.
    """
    journal = storage.journal
    lease = _Lease(journal.tables.engine, folder)
    journal.read(lambda: _make_tables(journal.tables.engine))
    journal.read(lambda: lease.take(studies))
    journal.fence = lease.fence
    ended = threading.Event()
    renewing = threading.Thread(target=lease.keep, args=(ended,), name="lease", daemon=True)
    renewing.start()
    try:
        yield
        journal.settle()
    finally:
        ended.set()
        renewing.join()
        journal.leave()
        journal.fence = None
        lease.release()


class _Lease:
    """This driver's hold on its studies."""

    def __init__(self, engine: sqlalchemy.Engine, folder: Path) -> None:
        self._engine = engine
        self._place = f"process {os.getpid()} on {socket.gethostname()}, in {folder.absolute()}"
        self._driver = uuid.uuid4().hex
        self._mine = DRIVERS.c.driver == self._driver
        self._heard = {"heard": func.now(), "stirred": DRIVERS.c.stirred + 1}

    def take(self, studies: Sequence[str]) -> None:
        """Take all studies or none; a second time, after an answer was lost, does no harm.

        Raises:
            RequestError: One of them has a driver.
        """
        process = Process.this()
        with self._engine.begin() as connection:
            if connection.scalar(select(DRIVERS.c.written).where(self._mine)) is not None:
                return
            connection.execute(
                DRIVERS.insert().values(
                    driver=self._driver,
                    place=self._place[:1024],
                    machine=process.machine,
                    process=process.number,
                    birth=process.birth,
                    heard=func.now(),
                    stirred=0,
                    written=0,
                )
            )
            for study in sorted(studies):  # everyone in one order, so that none waits in a ring
                self._take(connection, study)

    def _take(self, connection: sqlalchemy.Connection, study: str) -> None:
        owner = connection.scalar(select(OWNERS.c.driver).where(OWNERS.c.study == study))
        if owner is None:
            try:
                connection.execute(OWNERS.insert().values(study=study, driver=self._driver))
            except sqlalchemy.exc.IntegrityError as error:
                raise _refusal(study, "a process that has just begun") from error
            return
        self._end_if_dead(connection, study, owner)
        taken = connection.execute(
            OWNERS.update()
            .where(OWNERS.c.study == study, OWNERS.c.driver == owner)
            .values(driver=self._driver)
        )
        if taken.rowcount != 1:
            raise _refusal(study, "a process that has just begun")

    def _end_if_dead(self, connection: sqlalchemy.Connection, study: str, owner: str) -> None:
        """Delete a study's driver that is gone; refuse the study if it is not."""
        found = connection.execute(
            select(DRIVERS, func.now().label("now")).where(DRIVERS.c.driver == owner)
        ).one_or_none()
        if found is None:
            return
        silent = (found.now - found.heard).total_seconds()
        gone = Process(found.machine, found.process, found.birth).gone
        if not gone and silent < LEASE_SECONDS:
            raise _refusal(study, found.place, silent)
        ended = connection.execute(
            DRIVERS.delete().where(DRIVERS.c.driver == owner, DRIVERS.c.stirred == found.stirred)
        )
        if ended.rowcount != 1:
            raise _refusal(study, found.place)

    def fence(self, connection: sqlalchemy.Connection, number: int) -> bool:
        """Within the transaction of a batch: whether it is still to be written.

        Raises:
            WorkError: The studies have another driver now.
        """
        noted = connection.execute(
            DRIVERS.update()
            .where(self._mine, DRIVERS.c.written < number)
            .values(written=number, **self._heard)
        )
        if noted.rowcount == 1:
            return True
        if connection.scalar(select(DRIVERS.c.written).where(self._mine)) is not None:
            return False
        what = "this process was not heard of for too long, and another one has its studies now"
        raise WorkError(f"{what}; it goes on with what was written until then")

    def keep(self, ended: threading.Event) -> None:
        """Let the database hear of us until the end; an outage is the journal's to tell."""
        while not ended.wait(_SECONDS_BETWEEN_RENEWALS):
            try:
                with self._engine.begin() as connection:
                    connection.execute(DRIVERS.update().where(self._mine).values(self._heard))
            except sqlalchemy.exc.SQLAlchemyError as error:
                logger.debug("the lease was not renewed: %s", error)

    def release(self) -> None:
        """Let go; where the database is out of reach, our end is noticed in other ways."""
        try:
            with self._engine.begin() as connection:
                connection.execute(OWNERS.delete().where(OWNERS.c.driver == self._driver))
                connection.execute(DRIVERS.delete().where(self._mine))
        except sqlalchemy.exc.SQLAlchemyError as error:
            logger.debug("the lease was not given back: %s", error)


def _make_tables(engine: sqlalchemy.Engine) -> None:
    for table in _METADATA.sorted_tables:
        try:
            table.create(engine, checkfirst=True)
        except sqlalchemy.exc.DBAPIError as error:
            if not made_meanwhile(error):
                raise


def _refusal(study: str, place: str, silent: float | None = None) -> RequestError:
    heard = "" if silent is None else f" (last heard of {max(0.0, silent):.0f} s ago)"
    what = f"another process is at work on the study {study!r}: {place}{heard}."
    hint = (
        "Wait for it, or give this study another name. A process that died on another machine "
        f"loses its studies {LEASE_SECONDS / 60:g} minutes after it was last heard of."
    )
    return RequestError(Problem("search.storage", what, hint))
