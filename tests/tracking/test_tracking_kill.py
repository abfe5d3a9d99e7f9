"""SIGKILL at any moment: no broken database, no run twice, no point twice, none missing."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

from tracking_support import curve, expected, rows, run, run_names

# A process that has imported MLflow already, so that children forked from it are quickly at the
# moment in question; it kills each after a while of its own.
_KILLER = """
    import json, os, signal, sys, time
    from pathlib import Path

    folder, program = Path(sys.argv[1]), sys.argv[2]
    delays = [float(word) for word in sys.argv[3:]]
    sys.path.insert(0, {tests!r})
    from iterate.tracking.logging import quiet_thread, set_defaults
    set_defaults()
    import mlflow, mlflow.store.tracking.sqlalchemy_store
    from iterate_core.storage.files import write_json
    from iterate.tracking.store import create_default
    from tracking_support import mirror, run, study

    def create():
        with quiet_thread():
            create_default(folder)

    def write():
        path = folder / "memory.json"
        memory = json.loads(path.read_text()) if path.exists() else {{}}

        class Kept(dict):
            def __setitem__(self, key, value):
                super().__setitem__(key, value)
                write_json(path, dict(self))

        tracked = mirror(folder, Kept(memory))
        tracked.study(study())
        for number in range(12):
            tracked.run(run(number, "COMPLETE", count=30, metrics={{"test/accuracy": 0.5}}))
        backlog = tracked.close(60)
        if backlog:
            sys.exit(str(backlog))

    if program == "write":
        create()
    ends = []
    for delay in [*delays, 60.0]:
        child = os.fork()
        if child == 0:
            {{"create": create, "write": write}}[program]()
            os._exit(0)
        deadline = time.monotonic() + delay
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                ended = os.waitpid(child, 0)
                break
            time.sleep(0.002)
        ends.append(os.waitstatus_to_exitcode(ended[1]))
    print(json.dumps(ends))
"""


def _killed(folder: Path, program: str, delays: list[float]) -> list[int]:
    """Exit codes of the program, killed after each delay and at last left alone."""
    script = textwrap.dedent(_KILLER).format(tests=str(Path(__file__).parents[1] / "support"))
    # Python 3.12 warns of forks beside threads; here they are a numerical library's idle ones.
    calm = ["-W", "ignore:This process:DeprecationWarning"]
    command = [sys.executable, *calm, "-c", script, str(folder), program, *map(str, delays)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    # MLflow's announcements would tear the progress display apart.
    assert done.stderr == ""
    ends: list[int] = json.loads(done.stdout)
    return ends


def test_the_store_is_whole_or_absent(tmp_path: Path) -> None:
    ends = _killed(tmp_path, "create", [0.0, 0.05, 0.2, 0.4, 0.6])
    assert -9 in ends
    assert ends[-1] == 0
    db = tmp_path / "mlflow.db"
    assert rows(db, "PRAGMA integrity_check") == [("ok",)]
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client = MlflowClient(f"sqlite:///{db}")
    assert client.search_experiments() == []
    (default,) = client.search_experiments(ViewType.DELETED_ONLY)
    assert default.artifact_location == f"{(tmp_path / 'mlartifacts').as_uri()}/0"


def test_runs_are_complete_and_single(tmp_path: Path) -> None:
    ends = _killed(tmp_path, "write", [0.05, 0.1, 0.1, 0.15, 0.2, 0.2])
    assert -9 in ends
    assert ends[-1] == 0
    db = tmp_path / "mlflow.db"
    assert run_names(db) == ["eurosat", *(f"trial {n:02d}" for n in range(12))]
    for number in range(12):
        name, record = f"trial {number:02d}", run(number, count=30)
        assert curve(db, name, "val/accuracy") == expected(record, "val/accuracy")
        assert len(curve(db, name, "test/accuracy")) == 1
    assert rows(db, "SELECT count(*) FROM metrics") == [(12 * 61,)]
    assert {s for (s,) in rows(db, "SELECT status FROM runs WHERE name != 'eurosat'")} == {
        "FINISHED"
    }
