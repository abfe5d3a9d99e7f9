"""Records to send, a memory to remember in, and an independent look into MLflow's database."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from iterate.tracking.mirror import Mirror
from iterate.tracking.records import EpochRecord, RunRecord, StudyRecord
from iterate.tracking.settings import TrackingSettings

START = 1_700_000_000_000


def study(name: str = "eurosat", **changes: Any) -> StudyRecord:
    fields: dict[str, Any] = {
        "name": name,
        "experiment": "quickstart",
        "tags": {"dataset": "m-eurosat"},
        "params": {"trials": 4, "sampler": "tpe"},
        "artifacts": (),
        "state": "RUNNING",
        "start_ms": START,
    }
    return StudyRecord(**fields | changes)


def epochs(count: int, offset: float = 0.0) -> tuple[EpochRecord, ...]:
    return tuple(
        EpochRecord(n, {"val/accuracy": offset + n / 64, "train/loss": 1 / n}, START + 1000 * n)
        for n in range(1, count + 1)
    )


def run(number: int = 0, state: str = "COMPLETE", count: int = 3, **changes: Any) -> RunRecord:
    ended = state in ("COMPLETE", "PRUNED", "FAIL")
    fields: dict[str, Any] = {
        "study": "eurosat",
        "kind": "trial",
        "number": number,
        "params": {"optimiser.lr": 0.001 * (number + 1), "model.decoder": "unet"},
        "seed": 100 + number,
        "state": state,
        "epochs": epochs(count, offset=number),
        "start_ms": START,
        "end_ms": START + 60_000 if ended else None,
    }
    return RunRecord(**fields | changes)


def mirror(folder: Path, memory: dict[str, str], uri: str | None = None) -> Mirror:
    return Mirror(TrackingSettings(uri=uri), folder, memory.__setitem__, memory.get)


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    """What MLflow's database says, asked without MLflow."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def run_names(database: Path) -> list[str]:
    return [name for (name,) in rows(database, "SELECT name FROM runs ORDER BY name")]


def curve(database: Path, run_name: str, key: str) -> list[tuple[int, float, int]]:
    """(step, value, timestamp) of one metric of one run, as often as it was written."""
    query = f"""SELECT m.step, m.value, m.timestamp FROM metrics m JOIN runs r USING (run_uuid)
        WHERE r.name = '{run_name}' AND m.key = '{key}' ORDER BY m.step, m.timestamp"""
    return rows(database, query)


def expected(record: RunRecord, key: str) -> list[tuple[int, float, int]]:
    return [(e.epoch, e.metrics[key], e.timestamp_ms) for e in record.epochs]


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def wait_until_it_answers(
    address: str, process: subprocess.Popen[Any], seconds: float = 60
) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, "the server ended by itself"
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{address} did not answer within {seconds} s")


@contextmanager
def server(folder: Path, port: int) -> Iterator[str]:
    """A real MLflow server of its own, killed without mercy at the end."""
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--workers", "1"),
        *("--artifacts-destination", str(folder / "served")),
    ]
    environment = os.environ | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(address, process)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
