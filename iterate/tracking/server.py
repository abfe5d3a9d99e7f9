"""The dashboard: MLflow's server in the foreground, on the store that a run wrote."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, Any

from iterate.tracking.logging import DEFAULTS
from iterate.tracking.store import ARTIFACTS, DATABASE, Place, place
from iterate_core.errors import Problem, RequestError, WorkError

_STOP_SECONDS = 10.0
_FREE_PORTS_TRIED = 50


def find_store(folder: Path | None, runs: Path) -> Place:
    """The default store that a run wrote.

    Args:
        folder: A run's folder, or the folder that holds the runs; None takes `runs`, or the
            newest store in a folder directly below it.
        runs: Where runs are written unless told otherwise.

    Raises:
        RequestError: There is none.
    """
    if folder is not None and not folder.is_dir():
        raise RequestError(Problem(str(folder), "there is no such folder."))
    for candidate in _candidates(folder, runs):
        if (candidate / DATABASE).is_file():
            return place(None, candidate)
    looked_in = folder if folder is not None else runs
    raise RequestError(
        Problem(
            str(looked_in),
            f"no run has written {DATABASE} here or beside it.",
            "Start one first, such as `iterate hpo search_spaces/quickstart.yaml`, name the "
            "folder of another, or give the server's address with --uri.",
        )
    )


def _candidates(folder: Path | None, runs: Path) -> list[Path]:
    if folder is not None:
        return [folder.absolute(), folder.absolute().parent]
    below = sorted(runs.glob(f"*/{DATABASE}"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [runs, *(path.parent for path in below)]


def check_port(host: str, port: int) -> None:
    """Make sure that the address can be listened on.

    Raises:
        RequestError: It cannot; says why, and names a port that is free.
    """
    if not 1 <= port <= 65535:
        raise RequestError(Problem("--port", f"must be between 1 and 65535, but got {port}."))
    try:
        _listen(host, port)
    except socket.gaierror as error:
        raise RequestError(Problem("--host", f"{host!r} is no address of this machine.")) from error
    except OSError as error:
        raise RequestError(_why_not(host, port, error)) from error


def _why_not(host: str, port: int, error: OSError) -> Problem:
    if error.errno == errno.EADDRINUSE:
        what = f"port {port} of {host} is in use by another program."
    elif error.errno == errno.EACCES:
        what = f"port {port} may not be used by this account."
    else:
        return Problem("--host", f"{host!r} is no address of this machine ({error.strerror}).")
    free = next((p for p in range(max(port, 1024) + 1, 65536) if _is_free(host, p)), None)
    return Problem("--port", what, f"Stop that program or give another port: --port {free}.")


def _is_free(host: str, port: int) -> bool:
    try:
        _listen(host, port)
    except OSError:
        return False
    return True


def _listen(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as trial:
        # As the server does: a port whose last connections are only fading away is free.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind(address)
        trial.listen(1)


def serve(store: Place, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Run the dashboard until this process is asked to stop (SIGINT, SIGTERM or SIGHUP).

    Args:
        store: Its runs are shown.
        host: The address to listen on.
        port: The port to listen on.
        ready: Called with the dashboard's address as soon as it answers.

    Raises:
        RequestError: The port cannot be listened on.
        WorkError: The server ended by itself; with its last words.
    """
    check_port(host, port)
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
    with tempfile.TemporaryFile() as words, _stop_asked() as stop:
        with _process(_command(store, host, port), words) as server:
            while not stop.is_set() and server.poll() is None:
                if _answers(address):
                    ready(address)
                    break
                stop.wait(0.2)
            while not stop.is_set() and server.poll() is None:
                stop.wait(0.5)
            ended_by_itself = server.poll() is not None
        if ended_by_itself and not stop.is_set():
            raise WorkError(f"the MLflow server ended by itself: {_last_words(words)}")


def _command(store: Place, host: str, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--backend-store-uri", store.uri),
        *("--artifacts-destination", str(store.folder / ARTIFACTS)),
        *("--host", host, "--port", str(port), "--workers", "1"),
        *_app_words(),
        *("--uvicorn-opts", "--log-level warning"),
    ]


def _app_words() -> list[str]:
    """Which app serves the pages: ours, unless this package was installed before it had one."""
    ours = entry_points(group="mlflow.app", name="iterate")
    return ["--app-name", "iterate"] if ours else []


@contextmanager
def _process(command: list[str], words: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The server in a session of its own, which ends as a whole: it has children."""
    # Its job runner serves model evaluation, which a look at runs does not need.
    quiet = {**DEFAULTS, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment = {**quiet, **os.environ}
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=words,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        yield server
    finally:
        _signal_group(server.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            server.wait(_STOP_SECONDS)
        _signal_group(server.pid, signal.SIGKILL)
        server.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return  # all of it has ended


@contextmanager
def _stop_asked() -> Iterator[threading.Event]:
    """An event that Ctrl-C, a polite kill or a closed terminal sets."""
    stop = threading.Event()

    def ask(_number: int, _frame: Any) -> None:
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _last_words(words: IO[bytes]) -> str:
    words.seek(0)
    lines = words.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
