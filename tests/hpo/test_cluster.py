"""The command on a Ray cluster that was there before, and addresses where there is none."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import ray
from resume_support import SEARCH

from iterate.hpo.pool.cluster import cluster
from iterate.hpo.settings import RaySettings, ResourceSettings
from iterate_core.errors import RequestError

# A test's cluster on loopback needs no secret; a user's own keeps Ray's default.
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


@pytest.fixture
def address() -> Iterator[str]:
    """The address of a Ray cluster of two CPUs, started as a user would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = [
        *(str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"),
        *("--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=2"),
        "--include-dashboard=false",
    ]
    process = subprocess.Popen(
        start,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | ENVIRONMENT,
    )
    assert process.stdout is not None
    assert any("Ray runtime started" in line for line in process.stdout)
    yield f"127.0.0.1:{port}"
    family = psutil.Process(process.pid).children(recursive=True)
    for member in [*family, process]:
        member.kill()
    process.wait(timeout=60)
    process.stdout.close()


def test_a_search_on_a_running_cluster(address: str, tmp_path: Path) -> None:
    search = tmp_path / "search.yaml"
    search.write_text(SEARCH, encoding="utf-8")
    words = [f"ray.address={address}", "search.trials=2", "trainer.epochs=1"]
    out = ["--out", str(tmp_path / "out"), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "iterate", "hpo", str(search), *words, *out],
        capture_output=True,
        text=True,
        env=os.environ | ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    study = json.loads(done.stdout)["studies"][0]
    assert study["trials"] == {"complete": 2, "pruned": 0, "failed": 0}
    assert len(study["repeats"]) == 1


def test_an_address_without_a_cluster_is_named() -> None:
    with (
        pytest.raises(RequestError, match=r"no Ray cluster answers at '127.0.0.1:1'"),
        cluster(RaySettings(address="127.0.0.1:1"), [ResourceSettings()]),
    ):
        pass


def test_a_ray_of_ones_own_is_what_trials_need_alone() -> None:
    before = set(psutil.Process().children(recursive=True))
    with cluster(RaySettings(), [ResourceSettings()]):
        ours = set(psutil.Process().children(recursive=True)) - before
        names = [" ".join(process.cmdline()) for process in ours]
    for needed in ("gcs_server", "raylet"):
        assert any(needed in name for name in names)
    assert [name for name in names if "monitor" in name or "dashboard.py" in name] == []


def test_workers_of_a_ray_of_ones_own_are_as_nice_as_their_driver() -> None:
    with cluster(RaySettings(), [ResourceSettings()]):
        nice: int = ray.get(ray.remote(lambda: psutil.Process().nice()).remote())
    assert nice == psutil.Process().nice()
