"""The mirror on the default store: what is in MLflow is what the records say, once."""

import logging
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tracking_support import START, curve, epochs, expected, mirror, rows, run, run_names, study

from iterate.tracking.mirror import Mirror
from iterate.tracking.records import EpochRecord, RunRecord
from iterate.tracking.settings import TrackingSettings
from iterate.tracking.store import create_default

WAIT = 60.0

# Makes a store while the main thread, as Ray does, has begun to import MLflow.
BESIDE_AN_IMPORT = """
import sys, threading, time
from pathlib import Path
from iterate.tracking.store import create_default

begun = threading.Event()

class Delayed:
    def find_spec(self, name, path=None, target=None):
        if name == "mlflow" and threading.current_thread() is threading.main_thread():
            begun.set()
            time.sleep(0.5)

def make():
    begun.wait()
    create_default(Path(sys.argv[1]))

sys.meta_path.insert(0, Delayed())
made = threading.Thread(target=make)
made.start()
import mlflow
made.join()
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty default store; making one takes a second, copying it does not."""
    return create_default(tmp_path_factory.mktemp("template"))


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """A folder with an empty default store."""
    shutil.copy(template, tmp_path)
    return tmp_path


def test_hierarchy_parameters_curves_and_states(tmp_path: Path) -> None:
    records = [
        run(0, "COMPLETE", metrics={"test/accuracy": 0.875, "train_seconds": 12.5}),
        run(1, "PRUNED", count=1),
        run(2, "FAIL", count=0, failure="CUDA out of memory"),
        run(3, "RUNNING", count=2),
        run(11, "WAITING", count=0),
        run(0, "COMPLETE", kind="repeat"),
    ]
    tracked = mirror(tmp_path, {})
    tracked.study(study(metrics={"best": 0.875}))
    for record in records:
        tracked.run(record)
    assert not tracked.close(WAIT)

    db = tmp_path / "mlflow.db"
    assert rows(db, "SELECT name FROM experiments WHERE name != 'Default'") == [("quickstart",)]
    states = dict(rows(db, "SELECT name, status FROM runs"))
    assert states == {
        "eurosat": "RUNNING",
        "trial 00": "FINISHED",
        "trial 01": "KILLED",
        "trial 02": "FAILED",
        "trial 03": "RUNNING",
        "trial 11": "SCHEDULED",
        "repeat 00": "FINISHED",
    }
    (parent,) = rows(db, "SELECT run_uuid FROM runs WHERE name = 'eurosat'")
    children = rows(db, "SELECT value FROM tags WHERE key = 'mlflow.parentRunId'")
    assert children == [parent] * 6
    for record in records:
        name = f"{record.kind} {record.number:02d}"
        for key in ("val/accuracy", "train/loss"):
            assert curve(db, name, key) == expected(record, key)
    params = "SELECT key, value FROM params JOIN runs USING (run_uuid) WHERE name = 'trial 01'"
    assert dict(rows(db, params)) == {"optimiser.lr": "0.002", "model.decoder": "unet"}
    tags = "SELECT key, value FROM tags JOIN runs USING (run_uuid) WHERE name = 'trial 02'"
    found = dict(rows(db, tags))
    assert found["iterate.failure"] == "CUDA out of memory"
    assert (found["iterate.seed"], found["iterate.state"]) == ("102", "FAIL")
    assert curve(db, "trial 00", "test/accuracy") == [(0, 0.875, START + 60_000)]
    times = "SELECT start_time, end_time FROM runs WHERE name = 'trial 00'"
    assert rows(db, times) == [(START, START + 60_000)]


def everything(tracked: Mirror, picture: Path) -> None:
    tracked.study(study(metrics={"best": 0.5}, artifacts=(picture,)))
    for number in range(3):
        tracked.run(run(number, "COMPLETE", metrics={"test/accuracy": 0.5 + number}))
    tracked.run(run(3, "RUNNING", count=4))


@pytest.mark.parametrize("forgotten", ["nothing", "run ids", "the running process"])
def test_sending_everything_again_writes_nothing_twice(folder: Path, forgotten: str) -> None:
    memory: dict[str, str] = {}
    picture = folder / "plot.png"
    picture.write_bytes(b"0" * 1000)
    tracked = mirror(folder, memory)
    everything(tracked, picture)
    assert not tracked.flush(WAIT)
    counts = [
        "SELECT count(*) FROM runs",
        "SELECT count(*) FROM metrics",
        "SELECT count(*) FROM params",
        "SELECT count(*) FROM tags",
        "SELECT * FROM runs ORDER BY run_uuid",
        "SELECT * FROM latest_metrics ORDER BY run_uuid, key",
    ]
    db = folder / "mlflow.db"
    before = [rows(db, query) for query in counts]
    (kept,) = (folder / "mlartifacts").rglob("plot.png")
    stamp = kept.stat().st_mtime_ns
    if forgotten != "nothing":
        tracked.close(WAIT)
        # A process killed after creating the runs and before remembering them.
        kept_keys = ["eurosat/identity"] if forgotten == "run ids" else list(memory)
        tracked = mirror(folder, {key: memory[key] for key in kept_keys})
    everything(tracked, picture)
    assert not tracked.close(WAIT)
    assert [rows(db, query) for query in counts] == before
    assert kept.stat().st_mtime_ns == stamp


def test_a_resumed_run_gets_only_what_is_new(folder: Path) -> None:
    memory: dict[str, str] = {}
    first = mirror(folder, memory)
    first.study(study())
    first.run(run(0, "RUNNING", count=3))
    assert not first.close(WAIT)
    second = mirror(folder, memory)
    second.study(study(state="COMPLETE", end_ms=START + 90_000))
    last = run(0, "COMPLETE", count=6)
    second.run(last)
    assert not second.close(WAIT)
    db = folder / "mlflow.db"
    assert curve(db, "trial 00", "val/accuracy") == expected(last, "val/accuracy")
    assert {state for (state,) in rows(db, "SELECT status FROM runs")} == {"FINISHED"}


def test_a_run_keeps_the_source_that_began_it(folder: Path) -> None:
    """A later command tells of finished runs again; their code was the earlier one's."""
    memory: dict[str, str] = {}
    for commit, state in (("a" * 40, "COMPLETE"), ("b" * 40, "PRUNED")):
        tags = {"mlflow.source.git.commit": commit, "iterate.backbone": state}
        tracked = mirror(folder, memory)
        tracked.study(study())
        tracked.run(run(0, state, tags=tags))
        assert not tracked.close(WAIT)
    query = "SELECT value FROM tags JOIN runs USING (run_uuid) WHERE name = 'trial 00' AND key = "
    assert rows(folder / "mlflow.db", f"{query}'mlflow.source.git.commit'") == [("a" * 40,)]
    assert rows(folder / "mlflow.db", f"{query}'iterate.backbone'") == [("PRUNED",)]


def test_only_the_newest_record_of_a_run_is_written(folder: Path) -> None:
    tracked = mirror(folder, {})
    tracked.study(study())
    begin = time.perf_counter()
    for count in range(1, 1001):
        tracked.run(run(0, "RUNNING", count=min(count, 40)))
    seconds = time.perf_counter() - begin
    assert not tracked.close(WAIT)
    assert seconds < 2  # of which most is making the records
    found = curve(folder / "mlflow.db", "trial 00", "val/accuracy")
    assert found == expected(run(0, count=40), "val/accuracy")


def test_equal_names_of_two_truths_stay_apart(folder: Path) -> None:
    for _ in range(2):
        tracked = mirror(folder, {})
        tracked.study(study())
        tracked.run(run())
        assert not tracked.close(WAIT)
    db = folder / "mlflow.db"
    assert run_names(db) == ["eurosat", "eurosat", "trial 00", "trial 00"]
    assert len(set(rows(db, "SELECT value FROM tags WHERE key = 'mlflow.parentRunId'"))) == 2


def test_a_run_waits_for_its_study(folder: Path) -> None:
    tracked = mirror(folder, {})
    tracked.run(run())
    backlog = tracked.flush(WAIT)
    assert backlog.records == 1
    assert "its study 'eurosat' was not sent yet" in str(backlog)
    tracked.study(study())
    assert not tracked.close(WAIT)
    assert run_names(folder / "mlflow.db") == ["eurosat", "trial 00"]


def test_a_missing_artifact_holds_up_nothing_else(folder: Path) -> None:
    checkpoint = folder / "best.safetensors"
    deep = folder / "plots" / "deep"
    deep.mkdir(parents=True)
    (deep / "a.png").write_bytes(b"a")
    tracked = mirror(folder, {})
    tracked.study(study(artifacts=(folder / "plots",)))
    tracked.run(run(0, artifacts=(checkpoint,)))
    tracked.run(run(1))
    backlog = tracked.flush(WAIT)
    assert backlog.records == 1
    assert "trial 0" in str(backlog)
    assert "best.safetensors is not there" in str(backlog)
    states = dict(rows(folder / "mlflow.db", "SELECT name, status FROM runs"))
    assert states["trial 00"] == states["trial 01"] == "FINISHED"
    checkpoint.write_bytes(b"weights")
    assert not tracked.close(WAIT)
    kept = {path.name: path for path in (folder / "mlartifacts").rglob("*") if path.is_file()}
    assert kept["best.safetensors"].read_bytes() == b"weights"
    assert kept["a.png"].parts[-3:] == ("plots", "deep", "a.png")


def test_a_changed_artifact_is_sent_again(folder: Path) -> None:
    picture = folder / "history.png"
    picture.write_bytes(b"old")
    tracked = mirror(folder, {})
    tracked.study(study(artifacts=(picture,)))
    assert not tracked.flush(WAIT)
    picture.write_bytes(b"new, and longer")
    tracked.study(study(artifacts=(picture,)))
    assert not tracked.close(WAIT)
    (kept,) = (folder / "mlartifacts").rglob("history.png")
    assert kept.read_bytes() == b"new, and longer"


def test_what_mlflow_would_refuse_is_made_acceptable(folder: Path) -> None:
    odd = {"val/iou (open water)": 0.5, "../x": 1.0, "nan": math.nan, "inf": -math.inf}
    wide = RunRecord(
        study="eurosat",
        kind="trial",
        number=0,
        params={f"p{n}": n for n in range(250)} | {"long": "x" * 10_000},
        seed=1,
        state="COMPLETE",
        epochs=tuple(EpochRecord(n, {f"m{k}": n for k in range(30)}, START) for n in range(1, 81)),
        metrics=odd,
        tags={f"t{n}": "v" * 9000 for n in range(120)},
        end_ms=START,
    )
    tracked = mirror(folder, {})
    tracked.study(study())
    tracked.run(wide)
    assert not tracked.close(WAIT)
    db = folder / "mlflow.db"
    single = rows(db, "SELECT key, value, is_nan FROM metrics WHERE key NOT LIKE 'm%'")
    assert set(single) == {
        ("val/iou _open water_", 0.5, 0),
        ("_/x", 1.0, 0),
        ("nan", 0.0, 1),
        ("inf", -sys.float_info.max, 0),
    }
    assert rows(db, "SELECT count(*) FROM metrics WHERE key LIKE 'm%'") == [(2400,)]
    assert rows(db, "SELECT length(value) FROM params WHERE key = 'long'") == [(6000,)]
    assert rows(db, "SELECT count(*) FROM params WHERE key LIKE 'p%'") == [(250,)]


def test_a_parameter_that_changed_becomes_a_tag(folder: Path) -> None:
    memory: dict[str, str] = {}
    for trials in (4, 8):
        tracked = mirror(folder, memory)
        tracked.study(study(params={"trials": trials}))
        assert not tracked.close(WAIT)
    db = folder / "mlflow.db"
    assert rows(db, "SELECT key, value FROM params") == [("trials", "4")]
    assert rows(db, "SELECT value FROM tags WHERE key = 'iterate.changed.trials'") == [("8",)]


def test_a_figure_that_falls_shows_its_latest_value(folder: Path) -> None:
    tracked = mirror(folder, {})
    for running in (4.0, 2.0, 3.0):
        tracked.study(study(metrics={"trials/running": running}))
        assert not tracked.flush(WAIT)
        time.sleep(0.005)  # MLflow orders by milliseconds
    tracked.close(WAIT)
    assert rows(folder / "mlflow.db", "SELECT value FROM latest_metrics") == [(3.0,)]


def test_a_run_that_a_person_deleted_stays_deleted(folder: Path) -> None:
    from mlflow import MlflowClient

    memory: dict[str, str] = {}
    for _ in range(2):
        tracked = mirror(folder, memory)
        tracked.study(study())
        tracked.run(run(0))
        tracked.run(run(1))
        assert not tracked.close(WAIT)
        MlflowClient(tracked.place.uri).delete_run(memory["eurosat/trial/0"])
    stages = dict(rows(folder / "mlflow.db", "SELECT name, lifecycle_stage FROM runs"))
    assert stages == {"eurosat": "active", "trial 00": "deleted", "trial 01": "active"}


def test_another_store_than_last_time_gets_everything(tmp_path: Path) -> None:
    memory: dict[str, str] = {}
    for folder in ("first", "second"):
        tracked = mirror(tmp_path / folder, memory)
        tracked.study(study())
        tracked.run(run())
        assert not tracked.close(WAIT)
        assert run_names(tmp_path / folder / "mlflow.db") == ["eurosat", "trial 00"]


def test_an_unusable_store_costs_nothing_but_a_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    tracked = mirror(blocked, {})
    tracked.study(study())
    for number in range(5):
        tracked.run(run(number))
    backlog = tracked.flush(1.5)
    assert backlog.records == 6
    begin = time.perf_counter()
    backlog = tracked.close(20)
    assert time.perf_counter() - begin < 5
    assert backlog.records == 6
    assert "6 runs are not wholly in MLflow" in str(backlog)
    assert "the same command writes the rest next time" in str(backlog)
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert [r.name for r in warnings] == ["iterate.tracking.mirror"]  # once, however often tried


def test_switched_off_it_does_nothing(tmp_path: Path) -> None:
    tracked = Mirror(TrackingSettings(enabled=False), tmp_path, {}.__setitem__, {}.get)
    tracked.study(study())
    tracked.run(run())
    assert not tracked.flush(1)
    assert not tracked.close(1)
    assert list(tmp_path.iterdir()) == []


def test_a_curve_and_a_final_metric_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match=r"cannot share a name, but got \['val/accuracy'\]"):
        run(0, metrics={"val/accuracy": 0.5})


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    uri = "http://anna:secret@127.0.0.1:9"
    tracked = mirror(tmp_path, {}, uri=uri)
    tracked.study(study(history=epochs(2)))
    backlog = tracked.close(30)
    assert backlog.records == 1
    assert "anna:***@127.0.0.1:9" in str(backlog)
    assert "secret" not in str(backlog)


def test_the_store_is_made_while_another_thread_imports_mlflow(tmp_path: Path) -> None:
    program = [sys.executable, "-c", BESIDE_AN_IMPORT, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mlflow.db").is_file(), done.stderr
