"""A process that imports what training needs, once, and forks itself into as many as are wanted.

This is its handle in the driver, and light to import: a command starts it first of all, so that it
imports while the command still reads its files. Fork without exec is safe on Linux alone, and as
long as the process has no threads and has touched no GPU; importing does neither.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, TypeVar

T = TypeVar("T")

_WITHOUT_PATH = "-P"  # a file of the user's in the working directory is nobody's module


class Server:
    """The process, from its start to its end.

    Attributes:
        pid: Its number.
    """

    def __init__(self) -> None:
        self._laden, laden = socket.socketpair()
        self._bare, bare = socket.socketpair()
        descriptors = [laden.fileno(), bare.fileno()]
        code = f"from iterate.hpo.pool.forked.serve import serve; serve(*{descriptors})"
        # It finds what this process finds; one thread each, as Ray gives to workers.
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        environment = {"OMP_NUM_THREADS": "1"} | os.environ | {"PYTHONPATH": paths}
        with laden, bare:
            self._process = subprocess.Popen(
                [sys.executable, _WITHOUT_PATH, "-c", code],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
            )
        self.pid = self._process.pid

    def fork(self, task: Callable[[Connection], None], *, bare: bool = False) -> Connection:
        """A new process that does a task, and its end of a pipe that the task has the other end of.

        Returns at once, also while the server still imports: the process begins after that, or at
        once where it is to be `bare`, with little imported. When the process ends, whatever ends
        it, the connection does.
        """
        import cloudpickle

        ours, theirs = socket.socketpair()
        connection = Connection(ours.detach())
        # That the server is gone shows as the end of the process that never was.
        with theirs, suppress(OSError):
            socket.send_fds(self._bare if bare else self._laden, [b"fork"], [theirs.fileno()])
            connection.send_bytes(cloudpickle.dumps(task))
        return connection

    def end(self) -> None:
        """End it, and with it all that it has forked."""
        self._laden.close()
        self._bare.close()
        self._process.kill()
        self._process.wait()


_warm: list[Server] = []


@contextmanager
def warm() -> Iterator[None]:
    """Have a server import from now on, unless one does, for whoever first asks for one."""
    if sys.platform != "linux" or is_warm():
        yield
        return
    server = Server()
    _warm.append(server)
    try:
        yield
    finally:
        _warm.remove(server)
        server.end()


def is_warm() -> bool:
    """Whether one is there for whoever asks."""
    return bool(_warm)


@contextmanager
def server() -> Iterator[Server]:
    """The one that is warm, or one that lasts as long as this does."""
    if _warm:
        yield _warm[-1]
        return
    fresh = Server()
    try:
        yield fresh
    finally:
        fresh.end()


def elsewhere(work: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a process of the warm server; here, if there is none.

    Raises:
        Exception: What the function raises.
    """
    return begun(work, *arguments)()


def begun(work: Callable[..., T], *arguments: Any, bare: bool = False) -> Callable[[], T]:
    """Begin what `elsewhere` does; what it gives waits for the result, and may be called once.

    Args:
        work: What to call.
        arguments: Its arguments.
        bare: Begin at once, in a process that has imported little (see `Server.fork`).
    """
    if not _warm:
        return partial(work, *arguments)
    connection = _warm[-1].fork(_Call(work, arguments), bare=bare)

    def finish() -> T:
        with connection:
            try:
                result, error = connection.recv()
            except EOFError:  # something killed it; if it kills this process too, that is seen
                return work(*arguments)
        if error is not None:
            raise error
        value: T = result
        return value

    return finish


class _Call:
    """A call whose outcome is sent back."""

    def __init__(self, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._work, self._arguments = work, arguments

    def __call__(self, connection: Connection) -> None:
        result: Any = None
        raised: Exception | None = None
        try:
            result = self._work(*self._arguments)
        except Exception as error:  # noqa: BLE001 - raised again where it was called
            raised = error
        connection.send((result, raised))
