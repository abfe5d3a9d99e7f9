"""What the dashboard opens on: training pages, and a list of studies with its metrics."""

from __future__ import annotations

import asyncio
import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from tracking_support import mirror, rows, study

from iterate.tracking.dashboard import TrainingPages
from iterate.tracking.records import DatasetRecord
from iterate.tracking.views import VIEW_TAG, studies_view

PAGE = b"<!doctype html><html><head><title>MLflow</title></head><body></body></html>"


def answered(path: str, asked: list[tuple[bytes, bytes]] | None = None) -> tuple[Any, bytes, Any]:
    """The head and the body that a browser gets, and the headers that MLflow's app was asked."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope["headers"]))
        length = str(len(PAGE)).encode()
        headers = [(b"content-length", length), (b"etag", b"x"), (b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE[:20], "more_body": True})
        await send({"type": "http.response.body", "body": PAGE[20:]})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": asked or []}
    asyncio.run(TrainingPages(app)(scope, None, send))  # type: ignore[arg-type]
    return sent[0], b"".join(message["body"] for message in sent[1:]), seen[0]


def test_the_page_tells_a_new_browser_that_it_is_for_training() -> None:
    start, body, asked = answered("/", [(b"if-none-match", b"x"), (b"host", b"h")])
    assert asked == {b"host": b"h"}  # a browser that has MLflow's own page gets ours
    headers = dict(start["headers"])
    assert headers == {
        b"content-type": b"text/html",
        b"content-length": str(len(body)).encode(),
    }
    head, _, rest = body.partition(b"<script>")
    script, _, tail = rest.partition(b"</script>")
    assert head + tail == PAGE
    assert b'"mlflow.workflowType_v1": "\\"machine_learning\\""' in script
    assert b"localStorage.getItem(name)===null" in script  # what a person chose stays


def test_everything_else_passes_as_it_is() -> None:
    start, body, _ = answered("/api/2.0/mlflow/experiments/search")
    assert body == PAGE
    assert (b"etag", b"x") in start["headers"]


def test_mlflow_finds_the_app() -> None:
    """Where this fails, the package was installed before it had one: install it again."""
    (found,) = entry_points(group="mlflow.app", name="iterate")
    assert found.value == "iterate.tracking.dashboard:app"


def columns(view: str) -> list[str]:
    state = json.loads(json.loads(view)["state"])
    return [name for name in state["selectedColumns"] if name.startswith("metrics.")]


def test_a_view_keeps_the_columns_of_other_studies() -> None:
    first = studies_view(["best/val/miou"], None, 1)
    assert json.loads(first)["name"] == "Studies"
    assert studies_view(["best/val/miou"], first, 2) == first
    both = studies_view(["best/val/rmse", "best/val/miou"], first, 2)
    assert columns(both) == ["metrics.`best/val/miou`", "metrics.`best/val/rmse`"]


def test_a_view_fits_into_a_tag() -> None:
    view = None
    for index in range(100):
        view = studies_view([f"best/val/a_metric_with_a_name_{index}"], view, index)
    assert view is not None
    assert len(view) < 5000
    assert columns(view)[-1] == "metrics.`best/val/a_metric_with_a_name_99`"


@pytest.mark.parametrize("before", ["", "[]", '{"state": "deflate;x"}', '{"state": "3"}'])
def test_a_view_that_cannot_be_read_is_made_anew(before: str) -> None:
    assert columns(studies_view(["best/val/miou"], before, 1)) == ["metrics.`best/val/miou`"]


def test_the_store_holds_the_view_and_no_empty_experiment(tmp_path: Path) -> None:
    data = DatasetRecord("m-eurosat", "0123456789abcdef", "geobench_v1", "classification")
    tracked = mirror(tmp_path, {})
    tracked.study(study(columns=("best/val/accuracy", "test/accuracy/mean"), dataset=data))
    tracked.study(study("canopy", columns=("best/val/rmse",), dataset=data))
    assert not tracked.close(60)
    db = tmp_path / "mlflow.db"
    ((name,),) = rows(db, "SELECT name FROM experiments WHERE lifecycle_stage = 'active'")
    assert name == "quickstart"
    ((view,),) = rows(db, f"SELECT value FROM experiment_tags WHERE key = '{VIEW_TAG}'")
    wanted = ("best/val/accuracy", "test/accuracy/mean", "best/val/rmse")
    assert columns(view) == [f"metrics.`{key}`" for key in wanted]
    ((kind,),) = rows(db, "SELECT value FROM experiment_tags WHERE key = 'mlflow.experimentKind'")
    assert kind == "custom_model_development"
    found = rows(db, "SELECT name, digest, dataset_source_type FROM datasets")
    assert found == [("m-eurosat", "0123456789abcdef", "geobench_v1")]
    inputs = "SELECT count(*) FROM inputs WHERE destination_type = 'RUN'"
    assert rows(db, inputs) == [(2,)]
