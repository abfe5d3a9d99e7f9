"""`iterate ui`: finds the store, refuses a busy port, serves, and ends with all its children."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tracking_support import epochs, free_port, mirror, run, study, wait_until_it_answers

from iterate.tracking.server import check_port, find_store
from iterate.tracking.urls import best_first
from iterate_core.errors import RequestError

_UI = [sys.executable, "-m", "iterate", "ui"]


def _ask(address: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{address}/api/2.0/mlflow/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def _processes_of_group(group: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def _children(parent: int) -> list[int]:
    return [
        int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    ]


def test_it_serves_the_runs_until_ctrl_c(tmp_path: Path) -> None:
    picture = tmp_path / "history.png"
    picture.write_bytes(b"picture")
    tracked = mirror(tmp_path / "runs", {})
    tags = {"iterate.objective": "val/accuracy (max)"}
    columns = ("best/val/accuracy",)
    tracked.study(study(artifacts=(picture,), history=epochs(2), tags=tags, columns=columns))
    tracked.run(run(0, metrics={"best/val/accuracy": 0.5}))
    tracked.run(run(1, "PRUNED", count=2))
    assert not tracked.close(60)
    (tmp_path / "runs" / "eurosat").mkdir()

    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [*_UI, "runs/eurosat", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ui:
        try:
            wait_until_it_answers(address, ui)
            assert ui.stdout is not None
            assert ui.stdout.readline().rstrip().endswith(f"is at {address}")
            with urllib.request.urlopen(address, timeout=30) as page:
                assert page.status == 200
                text = page.read().lower()
                assert b"<html" in text
                assert b"machine_learning" in text  # opens on training, not on chat programs
            found = _ask(address, "experiments/search", {"max_results": 10})["experiments"]
            (mine,) = [e["experiment_id"] for e in found if e["name"] == "quickstart"]
            runs = _ask(address, "runs/search", {"experiment_ids": [mine]})["runs"]
            shown = {one["info"]["run_name"]: one["info"]["status"] for one in runs}
            assert shown == {"eurosat": "RUNNING", "trial 00": "FINISHED", "trial 01": "KILLED"}
            shown_first = urllib.parse.unquote(ui.stdout.readline() + ui.stdout.readline())
            studies, trials = shown_first.splitlines()
            page_of_runs = f"{address}/#/experiments/{mine}/runs?workflowType=machine_learning"
            assert studies.split() == ["studies", f"{page_of_runs}&viewStateShareKey=iterate"]
            assert trials.strip().startswith(f"trials   {page_of_runs}&compareRunsMode=CHART")
            assert "&orderByKey=metrics.`best/val/accuracy`&" in trials
            (parent,) = [r["info"]["run_id"] for r in runs if r["info"]["run_name"] == "eurosat"]
            get = f"{address}/get-artifact?path=history.png&run_id={parent}"
            with urllib.request.urlopen(get, timeout=30) as artifact:
                assert artifact.read() == b"picture"
            (group,) = _children(ui.pid)
            assert len(_processes_of_group(group)) >= 2
            ui.send_signal(signal.SIGINT)
            assert ui.wait(20) == 0
            assert ui.stderr is not None
            assert ui.stderr.read() == "Starting the MLflow server …\n"
            assert _processes_of_group(group) == []
        finally:
            ui.kill()
    with socket.socket() as again:  # and the port is free again
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


def test_a_busy_port_is_refused_with_a_free_one() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(RequestError) as raised:
            check_port("127.0.0.1", port)
        (problem,) = raised.value.problems
        assert problem.where == "--port"
        assert problem.what == f"port {port} of 127.0.0.1 is in use by another program."
        assert problem.hint is not None
        offered = int(problem.hint.rpartition("--port ")[2].rstrip("."))
        check_port("127.0.0.1", offered)


@pytest.mark.parametrize(
    ("host", "port", "where"),
    [
        ("no.such.host.invalid", 5000, "--host"),
        ("192.0.2.1", 5000, "--host"),  # reserved for documentation: nobody's
        ("127.0.0.1", 70000, "--port"),
    ],
)
def test_an_impossible_address_is_refused(host: str, port: int, where: str) -> None:
    with pytest.raises(RequestError) as raised:
        check_port(host, port)
    assert raised.value.problems[0].where == where
    assert raised.value.exit_code == 2


def test_the_store_is_found_where_runs_leave_it(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(RequestError, match=r"no run has written mlflow\.db here or beside it"):
        find_store(None, runs)
    with pytest.raises(RequestError, match="there is no such folder"):
        find_store(runs / "eurosat", runs)
    for age, name in enumerate(["new", "old"]):
        (runs / name).mkdir(parents=True)
        (runs / name / "mlflow.db").touch()
        os.utime(runs / name / "mlflow.db", (time.time() - age * 100,) * 2)
    (runs / "bare").mkdir()
    assert find_store(None, runs).folder == runs / "new"
    assert find_store(runs / "old", runs).folder == runs / "old"
    with pytest.raises(RequestError, match="iterate hpo"):
        find_store(runs / "bare", runs)
    (runs / "mlflow.db").touch()
    assert find_store(None, runs).folder == runs
    assert find_store(runs / "bare", runs).folder == runs
    assert find_store(runs / "old", runs).folder == runs / "old"


def test_mistakes_end_with_exit_code_2_and_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        (tmp_path / "mlflow.db").touch()
        for words, said in [
            ([str(tmp_path), "--port", port], f"port {port} of 127.0.0.1 is in use"),
            ([str(tmp_path / "absent")], "there is no such folder"),
        ]:
            done = subprocess.run([*_UI, *words], capture_output=True, text=True, timeout=60)
            assert done.returncode == 2
            assert said in " ".join(done.stderr.split())
            assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("tag", "column", "ascending"),
    [
        ("val/accuracy (max)", "metrics.`best/val/accuracy`", "false"),
        ("val/loss (min)", "metrics.`best/val/loss`", "true"),
        (None, "attributes.end_time", "false"),
    ],
)
def test_the_best_trials_come_first(tag: str | None, column: str, ascending: str) -> None:
    assert best_first(tag) == {"orderByKey": column, "orderByAsc": ascending}


def test_a_server_has_a_dashboard_already() -> None:
    command = [*_UI, "--uri", "http://127.0.0.1:9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "http://127.0.0.1:9" in done.stdout
