"""The mirror and a real MLflow server that is late, dies and comes back."""

import threading
import time
from pathlib import Path

from tracking_support import curve, expected, free_port, mirror, rows, run, run_names, server, study

WAIT = 90.0


def test_outages_delay_and_lose_nothing(tmp_path: Path) -> None:
    port = free_port()
    memory: dict[str, str] = {}
    picture = tmp_path / "plot.png"
    picture.write_bytes(b"picture")
    tracked = mirror(tmp_path, memory, uri=f"http://127.0.0.1:{port}")

    # Not up yet: nothing is written, nothing waits.
    tracked.study(study(artifacts=(picture,)))
    begin = time.perf_counter()
    tracked.run(run(0))
    assert time.perf_counter() - begin < 0.1
    backlog = tracked.flush(2)
    assert backlog.records == 2
    assert f"127.0.0.1:{port}" in str(backlog)
    assert memory.keys() == {"eurosat/identity"}

    db = tmp_path / "server.db"
    with server(tmp_path, port):  # up now, and killed with SIGKILL at the end of the block
        assert not tracked.flush(WAIT)
        assert run_names(db) == ["eurosat", "trial 00"]
        tracked.run(run(1, "RUNNING", count=2))
        assert not tracked.flush(WAIT)
        busy = threading.Event()

        def train() -> None:
            for count in range(3, 30):
                tracked.run(run(1, "RUNNING", count=count))
                busy.set()
                time.sleep(0.02)

        training = threading.Thread(target=train)
        training.start()
        busy.wait(WAIT)
    training.join()
    last = run(1, "COMPLETE", count=30, metrics={"test/accuracy": 0.5})
    tracked.run(last)
    tracked.run(run(2, "PRUNED", count=1))
    assert tracked.flush(2).records >= 2

    with server(tmp_path, port):
        assert not tracked.flush(WAIT)
        tracked.study(study(state="COMPLETE", artifacts=(picture,), end_ms=last.end_ms))
        assert not tracked.close(WAIT)

    assert run_names(db) == ["eurosat", "trial 00", "trial 01", "trial 02"]
    for record in (run(0), last, run(2, "PRUNED", count=1)):
        name = f"trial {record.number:02d}"
        assert curve(db, name, "val/accuracy") == expected(record, "val/accuracy")
    states = [state for (state,) in rows(db, "SELECT status FROM runs ORDER BY name")]
    assert states == ["FINISHED", "FINISHED", "FINISHED", "KILLED"]
    (kept,) = (tmp_path / "served").rglob("plot.png")
    assert kept.read_bytes() == b"picture"
    assert not (tmp_path / "mlflow.db").exists()


def test_closing_without_a_server_is_quick_and_says_so(tmp_path: Path) -> None:
    memory: dict[str, str] = {}
    tracked = mirror(tmp_path, memory, uri=f"http://127.0.0.1:{free_port()}")
    tracked.study(study())
    tracked.run(run(0))
    begin = time.perf_counter()
    backlog = tracked.close(30)
    assert time.perf_counter() - begin < 20
    assert backlog.records == 2
    assert "Nothing is lost" in str(backlog)
