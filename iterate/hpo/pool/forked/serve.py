"""What the server process does: import, and fork whenever it is asked to."""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

# Of the engine, what every trial needs; and the library that most backbones are of.
_PRELOADED = (
    "iterate_core.engine.preflight",
    "iterate.hpo.execute",
    "iterate_core.engine.fit",
    "timm",
)
# What samples are packed with.
_PRELOADED_BARE = ("iterate.config.trying", "h5py")
# What plots are drawn with. While the first fork tries the recipe, this process has nothing to do.
_PRELOADED_LATER = ("iterate.run.drawing", "optuna.importance", "iterate.plots.style")
_SIGNAL_AT_PARENTS_DEATH, _NAME = 1, 15  # PR_SET_PDEATHSIG and PR_SET_NAME, of prctl(2)
_FIRST_TO_GO = "500"  # where memory runs out, a trial goes rather than the command


def serve(laden: int, bare: int) -> None:
    """Fork a process for each descriptor that comes, until nobody is there to send more.

    Args:
        laden: The socket for those that are to have everything imported.
        bare: The socket for those that need little of it, and are not to wait for the rest.
    """
    _call_itself(b"iterate-server")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver to answer
    signal.signal(signal.SIGCHLD, _reap)
    server = os.getpid()
    if os.fork() == 0:
        os.close(laden)
        _call_itself(b"iterate-fork")
        _end_with(server)
        _preload(_PRELOADED_BARE)
        _fork_on(bare)
        os._exit(0)
    os.close(bare)
    _preload(_PRELOADED)
    _fork_on(laden, later=_PRELOADED_LATER)
    os._exit(0)  # libraries would say what they leave behind, on the terminal that is another's now


def _preload(names: Sequence[str]) -> None:
    """Import; nothing of it is ever let go, so that looking for garbage meanwhile finds none."""
    gc.disable()
    for name in names:
        with suppress(ImportError):  # whoever needs it says so
            import_module(name)
    gc.freeze()  # so that no collection in a fork touches, and so copies, what is shared
    gc.enable()


def _fork_on(descriptor: int, later: Sequence[str] = ()) -> None:
    """Fork for whoever asks on a socket, until nobody is there to ask.

    Args:
        descriptor: The socket.
        later: Imported when the first has been served, and the next is not expected at once.
    """
    channel, server = socket.socket(fileno=descriptor), os.getpid()
    while True:
        word, descriptors, *_ = socket.recv_fds(channel, 16, 1)
        if not word:
            return
        (theirs,) = descriptors
        if os.fork() == 0:
            channel.close()
            _work(Connection(theirs), server)
        os.close(theirs)
        if later:
            _preload(later)
            later = ()


def _reap(*_: object) -> None:
    """Let go of what has ended: its time counts as this process's, and so as the command's."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _work(connection: Connection, server: int) -> None:
    """Do what the driver sends; never returns into the server's loop."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _call_itself(b"iterate-worker")
        _end_with(server)
        # A process that this one starts must not keep the driver from seeing it end.
        os.register_at_fork(after_in_child=lambda: os.close(connection.fileno()))
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")
        task: Callable[[Connection], None] = pickle.loads(connection.recv_bytes())  # noqa: S301
        task(connection)
        code = 0
    except (EOFError, BrokenPipeError, ConnectionResetError):
        code = 0  # the driver is gone, or has no more work
    except BaseException:  # noqa: BLE001 - there is nobody above
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def _end_with(server: int) -> None:
    """Have the kernel end this process as soon as the server ends, whatever it does by then."""
    ctypes.CDLL(None).prctl(_SIGNAL_AT_PARENTS_DEATH, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)


def _call_itself(name: bytes) -> None:
    """What `ps` and `top` show it as."""
    ctypes.CDLL(None).prctl(_NAME, name)
