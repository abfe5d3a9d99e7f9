"""``iterate hpo search.yaml``: find the best recipe for one question."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iterate.cli.views.console import print_json, say

if TYPE_CHECKING:
    from iterate.config.load import LoadedStudy
    from iterate.run.session import RunSettings


def hpo(
    file: Annotated[Path, typer.Argument(help="The search.yaml to run.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Hydra overrides, such as search.trials=32 model/decoder=mlp."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for everything it writes; default runs/NAME.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin a new study beside an earlier one of this name.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON to standard output.")
    ] = False,
) -> None:
    """Find the best fine-tuning recipe within a search space.

    The same command again continues where it stopped; nothing is ever deleted.
    """
    began = time.monotonic()

    from iterate.hpo.pool.forked.server import warm

    with warm():  # what trains is imported while the file is read
        summary, failed = _searched(file, overrides or [], out, began, fresh=fresh)
    if json:
        print_json(summary)
    if failed:
        raise typer.Exit(1)


def _searched(
    file: Path, overrides: list[str], out: Path | None, began: float, *, fresh: bool
) -> tuple[dict[str, Any], bool]:
    """Search; the summary, and whether a study found nothing."""
    from iterate.config.load import load_study
    from iterate.config.trying import pack_ahead
    from iterate.hpo.shares import share_here
    from iterate.run.folders import check_folder, run_folder

    loaded = load_study(file, overrides)
    config = loaded.config
    share_here(config.ray, config.resources, config.trainer.accelerator)
    name, folder = run_folder(config.name, out, fresh=fresh)
    packed = pack_ahead([recipe for _, recipe in loaded.branches()])

    from iterate.cli.views.progress import LiveProgress
    from iterate.cli.views.tables import outcome
    from iterate.config.studies import study_from
    from iterate.hpo.storage.open import get_ready
    from iterate.run.session import run_studies
    from iterate.tracking.store import import_mlflow

    get_ready()
    if config.tracking.enabled:
        import_mlflow(after=packed)
    check_folder(folder)
    study = study_from(loaded, name)
    settings = _settings(loaded, name, folder, folder if out is not None else folder.parent, began)
    result = run_studies([study], settings, LiveProgress())
    say(outcome(result))
    return result.summary, bool(result.failures)


def _settings(
    loaded: LoadedStudy, name: str, folder: Path, tracking_folder: Path, began: float
) -> RunSettings:
    """What the file says of the run as a whole.

    Runs below one folder share a dashboard; a run that chose its own folder keeps its own.
    """
    from iterate.run.session import RunSettings

    config = loaded.config
    return RunSettings(
        name=name,
        folder=folder,
        tracking_folder=tracking_folder,
        storage=config.search.storage,
        ray=config.ray,
        tracking=config.tracking,
        began=began,
    )
