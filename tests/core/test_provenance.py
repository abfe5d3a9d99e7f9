"""The environment of a run: true, complete, free of secrets, and never a failure."""

import getpass
import json
import os
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from iterate_core import provenance
from iterate_core.provenance import PATCH_LIMIT, environment


def _git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text("rate = 1\n")
    _git(tmp_path, "add", "train.py")
    _git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_packages_and_machine(tmp_path: Path) -> None:
    found = environment(tmp_path)
    assert json.loads(json.dumps(found)) == found
    for name in ("torch", "optuna", "mlflow", "ray"):
        assert found["packages"][name] == found["freeze"][name] == version(name)
    assert found["iterate"] == version("geo-iterate")
    assert found["cpu"]["cores"] == os.cpu_count()
    meminfo = Path("/proc/meminfo").read_text().split()
    assert 0 < found["memory_bytes"] <= int(meminfo[meminfo.index("MemTotal:") + 1]) * 1024
    assert isinstance(found["gpus"], list)
    assert found["git"] is None


def test_git_state(repository: Path) -> None:
    commit = _git(repository, "rev-parse", "HEAD")
    assert environment(repository)["git"] == {"commit": commit, "dirty": False, "patch": ""}
    (repository / "untracked.py").write_text("secret\n")
    (repository / "train.py").write_text("rate = 2\n")
    found = environment(repository)["git"]
    assert found["dirty"]
    assert "-rate = 1\n+rate = 2\n" in found["patch"]
    assert "secret" not in found["patch"]
    # The patch is what it says: it makes the one out of the other.
    (repository / "change.patch").write_text(found["patch"])
    _git(repository, "checkout", "-q", "train.py")
    _git(repository, "apply", "change.patch")
    assert (repository / "train.py").read_text() == "rate = 2\n"


def test_a_huge_patch_is_cut(repository: Path) -> None:
    (repository / "train.py").write_text("x" * 2 * PATCH_LIMIT)
    found = environment(repository)["git"]
    assert len(found["patch"]) < PATCH_LIMIT + 100
    assert found["patch"].endswith("[the rest was left out]\n")


def test_a_hostile_repository_runs_nothing(repository: Path) -> None:
    (repository / "train.py").write_text("rate = 2\n")
    trap = repository / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {repository}/sprung\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "diff.x.textconv", "diff.x.command"):
        _git(repository, "config", key, str(trap))
    (repository / ".gitattributes").write_text("*.py diff=x\n")
    environment(repository)
    assert not (repository / "sprung").exists()


def test_nothing_of_the_person_or_their_secrets(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2hunter2")
    text = json.dumps(environment(repository))
    assert "hunter2hunter2" not in text
    assert str(Path.home()) + "/" not in text
    assert f'"{socket.gethostname()}"' not in text
    assert f'"{getpass.getuser()}"' not in text


def test_it_never_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("nothing works today")

    monkeypatch.setattr(provenance, "distributions", broken)
    monkeypatch.setattr(provenance.subprocess, "run", broken)
    monkeypatch.setattr(provenance.psutil, "virtual_memory", broken)
    monkeypatch.setattr(provenance.shutil, "which", lambda _: "/nowhere")
    found = environment(tmp_path / "absent")
    assert (found["git"], found["gpus"], found["memory_bytes"]) == (None, None, None)
    assert found["freeze"] == {}


def test_gpus_are_read_from_the_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559, 570.1'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert environment(tmp_path)["gpus"] == [
        {"name": "NVIDIA H100 80GB HBM3", "memory_bytes": 81559 * 2**20, "driver": "570.1"}
    ]
