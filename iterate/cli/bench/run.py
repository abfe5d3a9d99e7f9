"""``iterate bench --suite NAME``: train and test backbones over a suite, and rank them."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iterate.cli.views.console import print_json, say
from iterate_core.errors import Problem, RequestError
from iterate_core.secrets import without_passwords

if TYPE_CHECKING:
    from iterate.bench.runs.plan import Cell, Gap, Plan, Request
    from iterate.bench.runs.run import BenchResult
    from iterate.run.session import RunSettings


Suite = Annotated[str, typer.Option(help="geobench, geobench-2, or a suite's YAML.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="Hydra overrides for every study, such as search.trials=8."),
]
Backbones = Annotated[
    list[str] | None,
    typer.Option(
        help="resnet50,convnext_tiny; resnet50=weights.safetensors (or =hub, =none); "
        "or a YAML of names and options. May come several times."
    ),
]
Datasets = Annotated[
    list[str] | None, typer.Option(help="Some of the suite's, comma-separated; default all.")
]
ProtocolName = Annotated[
    str | None, typer.Option(help="A protocol's name or YAML; default the suite's own.")
]
Partition = Annotated[
    str | None, typer.Option(help="Share of the training samples, such as 0.10x.")
]
Shots = Annotated[
    int | None, typer.Option(help="Training samples of each class, in place of --partition.", min=1)
]
Episodes = Annotated[
    int | None, typer.Option(help="Draws of --shots, each a repeat of its own.", min=1)
]
BlockMetres = Annotated[
    float | None,
    typer.Option(
        help="Draw all splits anew by blocks of ground of so many metres; 0: the published ones.",
        min=0,
    ),
]
DistanceMetres = Annotated[
    float | None, typer.Option(help="Between such splits, at least, in metres.", min=0)
]
Data = Annotated[
    Path | None,
    typer.Option(help="Folder of all datasets; default $GEO_BENCH_DIR, else ~/dataset/geobench."),
]
Out = Annotated[
    Path | None, typer.Option(help="Folder for everything it writes; default runs/PROTOCOL.")
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Begin a new run beside an earlier one of this name.")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse to begin where anything would be missing.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show studies, trials and time, and train nothing.")
]
Baselines = Annotated[
    list[Path] | None,
    typer.Option(help="Results to show as published baselines; may come several times."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print results as JSON to standard output.")]


def run(
    suite: Suite,
    overrides: Overrides = None,
    backbones: Backbones = None,
    datasets: Datasets = None,
    protocol: ProtocolName = None,
    partition: Partition = None,
    shots: Shots = None,
    episodes: Episodes = None,
    block_metres: BlockMetres = None,
    distance_metres: DistanceMetres = None,
    data: Data = None,
    out: Out = None,
    fresh: Fresh = False,
    strict: Strict = False,
    dry_run: DryRun = False,
    baseline: Baselines = None,
    json: AsJson = False,
) -> None:
    """Train and test every backbone on every dataset of a suite, and rank them.

    One study for each pair, all in one pool. The same command again continues where it stopped,
    trains nothing that is finished, and takes in what was added; nothing is ever deleted.
    """
    began = time.monotonic()
    labels = (partition, shots, episodes, block_metres, distance_metres)

    def asked() -> Request:
        return _request(suite, protocol, labels, overrides, backbones, datasets, data)

    if dry_run:
        _preview(asked(), out, fresh=fresh, strict=strict, json=json)
        return

    from iterate.hpo.pool.forked.server import warm

    with warm():  # what trains is imported while files are read and studies checked
        request = asked()
        settings = _settings(request, out, fresh=fresh, began=began)
        result = _ranked(request, settings, baseline or (), strict=strict)
    if json:
        print_json(result.to_mapping())
    if result.failed:
        raise typer.Exit(1)


def _ranked(
    request: Request, settings: RunSettings, baselines: Sequence[Path], *, strict: bool
) -> BenchResult:
    """Check every cell, run what can be, and show it."""
    from iterate.bench.runs.plan import Plan, cells_of

    cells, gaps = cells_of(request)
    plan = Plan(gaps=gaps)
    _check(request, settings, cells, plan, strict=strict)

    from iterate.bench.runs.run import run_bench
    from iterate.cli.bench.view import show_result
    from iterate.cli.views.progress import LiveProgress
    from iterate.run.folders import undone_if_refused

    with undone_if_refused(settings.folder):
        again = _again(sys.argv[1:], settings.folder)
        result = run_bench(
            request, plan, settings, LiveProgress(), baselines=baselines, command=again
        )
    show_result(result)
    return result


def _again(words: Sequence[str], folder: Path) -> str:
    """The command that goes on with a run: this one, but a fresh run is taken up by its folder."""
    if "--fresh" in words:
        kept = [word for word in words if word != "--fresh" and not word.startswith("--out=")]
        if "--out" in kept:
            place = kept.index("--out")
            del kept[place : place + 2]
        words = [*kept, "--out", str(folder)]
    return without_passwords(shlex.join(["iterate", *words]))


def _request(
    suite: str,
    protocol: str | None,
    labels: tuple[str | None, int | None, int | None, float | None, float | None],
    overrides: list[str] | None,
    backbones: list[str] | None,
    datasets: list[str] | None,
    data: Path | None,
) -> Request:
    """What the command line asks for; nothing is opened yet.

    Raises:
        RequestError: What is wrong with it.
    """
    from iterate.bench.runs.backbones import contestants
    from iterate.bench.runs.labels import labels_of
    from iterate.bench.runs.plan import Request, chosen_datasets
    from iterate.bench.runs.protocol import load_protocol
    from iterate.bench.suites.folders import data_root
    from iterate.bench.suites.suite import load_suite
    from iterate.config.messages import shown

    known = load_suite(suite)
    found = load_protocol(protocol or known.protocol, known, overrides or ())
    told, where = found.config.bench.backbones, f"{shown(found.file)}: bench.backbones"
    return Request(
        suite=known,
        protocol=found,
        contestants=tuple(contestants(backbones or (), told, where)),
        datasets=chosen_datasets(known, datasets or ()),
        root=data_root(data),
        labels=labels_of(found, *labels),
        overrides=tuple(overrides or ()),
    )


def _settings(request: Request, out: Path | None, *, fresh: bool, began: float) -> RunSettings:
    """Of the run as a whole; runs below one folder share a dashboard, one elsewhere has its own."""
    from iterate.bench.runs.protocol import run_name
    from iterate.run.folders import run_folder
    from iterate.run.session import RunSettings

    config = request.protocol.config
    own = run_name(request.suite, request.protocol, request.labels.portion)
    name, folder = run_folder(own, out, fresh=fresh)
    return RunSettings(
        name=name,
        folder=folder,
        tracking_folder=folder if out is not None else folder.parent,
        storage=config.search.storage,
        ray=config.ray,
        tracking=config.tracking,
        began=began,
    )


def _check(
    request: Request, settings: RunSettings, cells: list[Cell], plan: Plan, *, strict: bool
) -> None:
    """Check every cell; say what will be missing.

    Raises:
        RequestError: Something will be missing, and `strict` forbids it.
    """
    from iterate.bench.runs.check import checking
    from iterate.bench.runs.plan import check_cells, drawn_shares
    from iterate.bench.runs.published_data import unlike_published
    from iterate.run.folders import check_folder
    from iterate_core.escaping import in_terminal as escape

    check_folder(settings.folder)

    def tell(cell: Cell) -> None:
        say(f"[dim]check[/]  {escape(cell.name)}")

    with checking(settings) as check:
        check_cells(request, cells, plan, settings, check, tell)
    plan.unlike.update(unlike_published(request, plan))
    for note in drawn_shares(request):
        say(f"[dim]note[/]  {escape(note)}")
    _refuse(plan.gaps, strict=strict)


def _refuse(gaps: list[Gap], *, strict: bool) -> None:
    from iterate.cli.bench.view import show_gaps

    if strict and gaps:
        raise RequestError([Problem(f"{gap.dataset}/{gap.backbone}", gap.reason) for gap in gaps])
    show_gaps(gaps)


def _preview(request: Request, out: Path | None, *, fresh: bool, strict: bool, json: bool) -> None:
    """Show what would be run."""
    from iterate.bench.runs.estimate import preview
    from iterate.bench.runs.plan import Plan, cells_of
    from iterate.bench.runs.run import check_question
    from iterate.cli.bench.view import show_preview

    cells, gaps = cells_of(request)
    settings = _settings(request, out, fresh=fresh, began=time.monotonic())
    plan = Plan(gaps=gaps)
    check_question(request, settings)
    found = preview(request, settings, cells, plan)
    _refuse(plan.gaps, strict=strict)
    show_preview(found)
    if json:
        shown: dict[str, Any] = found.to_mapping()
        print_json(shown)
