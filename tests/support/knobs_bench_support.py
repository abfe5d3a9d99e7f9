"""What a protocol's ``bench`` section changes, seen on the studies that a run of it would train."""

from __future__ import annotations

from typing import Any

import yaml
from bench_support import folders, small_suite
from knobs_support import Case, Scene

from iterate.bench.runs.backbones import contestants
from iterate.bench.runs.board import made_by
from iterate.bench.runs.plan import Cell, Request, cells_of, track_of
from iterate.bench.runs.protocol import load_protocol
from iterate.bench.suites.suite import load_suite


def request(scene: Scene, backbones: str = "resnet10t=none") -> Request:
    """A run of two datasets by a protocol of one's own, with the option at its value."""
    suite = small_suite(scene.folder)
    root = folders(scene.folder / "data", suite, "alpha,gamma")
    file = scene.folder / "own.yaml"
    content = {"defaults": ["recipe", "_self_"], "name": "own"}
    file.write_text(yaml.safe_dump(content | {"bench": {scene.knob.field: scene.value}}))
    known = load_suite(suite)
    protocol = load_protocol(str(file), known)
    taking_part = contestants([backbones], protocol.config.bench.backbones, "own.yaml")
    return Request(known, protocol, tuple(taking_part), ("alpha", "gamma"), root)


def cells(scene: Scene, **options: Any) -> dict[str, Cell]:
    """The studies of that run, by their names."""
    return {cell.name: cell for cell in cells_of(request(scene, **options))[0]}


def lengths(scene: Scene) -> list[int]:
    """The epochs of alpha's and gamma's study."""
    return [cell.loaded.recipe.trainer.epochs for _, cell in sorted(cells(scene).items())]


def track(scene: Scene) -> str:
    """Where the results of that run belong."""
    asked = request(scene)
    return track_of(asked, cells_of(asked)[0][0].loaded.config)


PROTOCOLS: dict[str, Case] = {
    "bench.track": Case((None, "frozen"), track, ("full_ft", "frozen")),
    "bench.warning": Case(
        (None, "Few."), lambda s: made_by(request(s), []).warning, (None, "Few.")
    ),
    "bench.tasks": Case(
        ({}, {"classification": {"trainer.epochs": 3}}), lengths, ([20, 20], [3, 20])
    ),
    "bench.datasets": Case(({}, {"gamma": {"trainer": {"epochs": 4}}}), lengths,
                           ([20, 20], [20, 4])),
    "bench.backbones": Case(
        ({"a": {"name": "resnet14t"}}, {"b": {"name": "resnet18"}, "c": {"name": "resnet18"}}),
        lambda s: sorted(cells(s, backbones="")),
        (["alpha/a", "gamma/a"], ["alpha/b", "alpha/c", "gamma/b", "gamma/c"]),
    ),
}  # fmt: skip
