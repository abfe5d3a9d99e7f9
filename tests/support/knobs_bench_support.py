"""What a protocol's ``bench`` section changes, seen on the studies that a run of it would train."""

from __future__ import annotations

from typing import Any

import yaml
from bench_support import folders, small_suite
from knobs_support import Case, Scene

from iterate.bench.runs.backbones import contestants
from iterate.bench.runs.board import made_by
from iterate.bench.runs.labels import episode_seeds, labels_of
from iterate.bench.runs.plan import Cell, Request, cells_of, track_of
from iterate.bench.runs.protocol import load_protocol, run_name
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
    both = ("alpha", "gamma")
    return Request(known, protocol, tuple(taking_part), both, root, labels_of(protocol))


def cells(scene: Scene, **options: Any) -> dict[str, Cell]:
    """The studies of that run, by their names."""
    return {cell.name: cell for cell in cells_of(request(scene, **options))[0]}


def lengths(scene: Scene) -> list[int]:
    """The epochs of alpha's and gamma's study."""
    return [cell.loaded.recipe.trainer.epochs for _, cell in sorted(cells(scene).items())]


def labels(scene: Scene) -> list[Any]:
    """The share and the shots of the studies, their number of repeats, and the run's name."""
    asked = request(scene)
    (cell, *_) = cells_of(asked)[0]
    data, search = cell.loaded.recipe.data, cell.loaded.config.search
    name = run_name(asked.suite, asked.protocol, asked.labels.portion)
    return [data.share, data.shots, search.repeats, name]


def blocks(scene: Scene) -> list[Any]:
    """The splits of the studies, and the run's name."""
    file = scene.folder / "apart.yaml"
    said = {"block_metres": 1e4} | {scene.knob.field: scene.value}
    content = {"defaults": ["recipe", "_self_"], "name": "apart", "bench": said}
    file.write_text(yaml.safe_dump(content))
    suite = load_suite("geobench-2")
    portion = labels_of(protocol := load_protocol(str(file), suite)).portion
    return [portion.name, run_name(suite, protocol, portion)]


def episodes(scene: Scene) -> list[int]:
    """How many draws of two shots there are."""
    file = scene.folder / "two.yaml"
    content = {"defaults": ["recipe", "_self_"], "name": "two"}
    file.write_text(yaml.safe_dump(content | {"bench": {"shots": 2, "episodes": scene.value}}))
    asked = load_protocol(str(file), load_suite("geobench"))
    return episode_seeds(asked, labels_of(asked).episodes)


def track(scene: Scene) -> str:
    """Where the results of that run belong."""
    asked = request(scene)
    return track_of(asked, cells_of(asked)[0][0].loaded.config)


PROTOCOLS: dict[str, Case] = {
    "bench.track": Case((None, "frozen"), track, ("full_ft", "frozen")),
    "bench.warning": Case(
        (None, "Few."), lambda s: made_by(request(s), []).warning, (None, "Few.")
    ),
    "bench.partition": Case(
        (None, "0.10x"), labels, ([None, None, 3, "small-own"], [0.1, None, 3, "small-own-10pct"])
    ),
    "bench.shots": Case(
        (None, 5), labels, ([None, None, 3, "small-own"], [None, 5, 3, "small-own-5-shot"])
    ),
    "bench.episodes": Case((None, 7), lambda s: len(episodes(s)), (3, 7)),
    "bench.block_metres": Case(
        (None, 2e4), blocks,
        (["100%", "geobench-2-apart"],
         ["100% by blocks of 20000 m", "geobench-2-apart-blocks-20000m-0m"]),
    ),
    "bench.distance_metres": Case(
        (None, 500), blocks,
        (["100% by blocks of 10000 m", "geobench-2-apart-blocks-10000m-0m"],
         ["100% by blocks of 10000 m, 500 m apart", "geobench-2-apart-blocks-10000m-500m"]),
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
