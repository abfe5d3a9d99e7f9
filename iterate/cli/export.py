"""``iterate export MODEL --to DIR``: a trained model as a folder for elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from iterate.cli.views.console import print_json, say
from iterate.run.stopping import Stopped
from iterate_core.errors import Problem, RequestError, WorkError
from iterate_core.escaping import in_terminal

if TYPE_CHECKING:
    from iterate.publish.export import Exported
    from iterate.tracking.pyfunc import Registered
    from iterate.tracking.store import Place


def export(
    model: Annotated[
        Path,
        typer.Argument(help="Folder of a run (its best repeat), a trial, a repeat, a fit."),
    ],
    to: Annotated[Path, typer.Option("--to", help="The folder to write.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an exported model that is there.")
    ] = False,
    onnx: Annotated[
        bool | None,
        typer.Option("--onnx/--no-onnx", help="An ONNX graph; default where it can be made."),
    ] = None,
    torch_export: Annotated[
        bool | None,
        typer.Option(
            "--torch-export/--no-torch-export",
            help="A torch.export program; default where it can be made.",
        ),
    ] = None,
    fp16: Annotated[
        bool, typer.Option("--fp16", help="Keep weights in half the bytes; tell what that loses.")
    ] = False,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="An ONNX graph in 8-bit integers too; tell what that loses."),
    ] = False,
    licence: Annotated[
        str | None,
        typer.Option(help="Of this model, for its card; default that of the backbone's weights."),
    ] = None,
    mlflow: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Register it in MLflow's model registry as NAME."),
    ] = None,
    tracking: Annotated[
        str | None,
        typer.Option(metavar="URI", help="Where that registry is; default the run's own store."),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Upload it to a Hugging Face hub (HF_ENDPOINT)."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody see a repository that --push makes.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print results as JSON to standard output.")
    ] = False,
) -> None:
    """Export a trained model as a folder that needs neither its data nor its backbone's weights.

    `iterate predict` and `iterate.load_model` take the folder.
    """
    _refuse_idle(mlflow, tracking, push, public, onnx, int8)
    from iterate.publish.export import ExportRequest, export_model
    from iterate_core.heap import expect_garbage

    where = None if mlflow is None else _registry(model, tracking)
    if mlflow is not None and where is not None:
        from iterate.tracking.pyfunc import check_registry

        check_registry(mlflow, where)
    request = ExportRequest(model, to, overwrite, onnx, torch_export, fp16, int8, licence)
    expect_garbage()
    try:
        done = export_model(request, lambda text: say(f"[dim]{in_terminal(text)}[/]"))
    except Stopped as stopped:
        stopped.told = "Nothing was exported: the same command starts anew."
        raise
    _tell(done)
    told: dict[str, Any] = _as_mapping(done)
    if mlflow is not None and where is not None:
        told["mlflow"] = _registered(done, mlflow, where)
    if push is not None:
        from iterate.publish.push import push as upload

        told["pushed"] = address = upload(done.folder, push, public=public)
        say(f"[bold]pushed[/]  {in_terminal(address)}")
    if json:
        print_json(told)
    if done.failures:
        raise WorkError(" ".join(f"{name}: {why}." for name, why in done.failures.items()))


def _refuse_idle(
    mlflow: str | None,
    tracking: str | None,
    push: str | None,
    public: bool,
    onnx: bool | None,
    int8: bool,
) -> None:
    """Refuse options that would do nothing, and names that cannot be.

    Raises:
        RequestError: One is.
    """
    if tracking is not None and mlflow is None:
        what = "is where --mlflow registers the model: say that too, or leave it out."
        raise RequestError(Problem("--tracking", what))
    if public and push is None:
        raise RequestError(Problem("--public", "is of --push: say that too, or leave it out."))
    if int8 and onnx is False:
        raise RequestError(Problem("--int8", "is made of the ONNX graph: leave out --no-onnx."))
    if push is not None:
        from iterate.publish.push import check_repository

        check_repository(push)


def _registry(model: Path, tracking: str | None) -> Place:
    """The store whose registry takes the model.

    Raises:
        RequestError: None is named, and the model is of no run.
    """
    from iterate.run.models import find_model
    from iterate.tracking.store import DATABASE, place

    if tracking is not None:
        return place(tracking, Path())
    study = find_model(model).study
    for folder in () if study is None else (study, *study.resolve().parents[:3]):
        if (folder / DATABASE).is_file():
            return place(None, folder)
    what = "needs a registry, and no tracking store of this model's run is here."
    raise RequestError(Problem("--mlflow", what, "Name one: --tracking URI"))


def _registered(done: Exported, name: str, where: Place) -> dict[str, Any]:
    from iterate.tracking.pyfunc import register

    say("[dim]registering with MLflow[/]")
    made: Registered = register(done.folder, name, where)
    say(
        f"[bold]registered[/]  {in_terminal(made.name)}, version {made.version}; to serve it: "
        f"MLFLOW_TRACKING_URI={in_terminal(made.store)} "
        f"mlflow models serve -m {in_terminal(made.uri)} --env-manager local"
    )
    return {"name": made.name, "version": made.version, "uri": made.uri, "store": made.store}


def _tell(done: Exported) -> None:
    """What was made, how equal it is, and what fewer bits lose."""
    from iterate.publish.scores_table import bits_rows

    metrics = done.metrics
    if "merged" in metrics:
        apart = metrics["merged"]["difference"]
        say(f"[dim]merged[/]  within {apart:.1e} of the model as it was trained")
    for name, told in metrics.get("graphs", {}).items():
        say(f"[dim]{name}[/]  within {told['difference']:.1e} of the model")
    rows = bits_rows(metrics)
    if rows:
        table = Table(box=None, header_style="bold")
        for column in ("bits", "test metric", "full", "reduced", "change"):
            table.add_column(column)
        for row in rows:
            table.add_row(*(in_terminal(text) for text in row))
        say(table)
    for kind, told in metrics.get("reduced", {}).items():
        if "unmeasured" in told:
            why = in_terminal(done.no_data or told["unmeasured"])
            say(f"[yellow]note[/]  what {kind} loses could not be measured: {why}")
    if "search_unfinished" in metrics:
        say("[yellow]note[/]  the search is not finished: this is the best of its trainings so far")
    for name, why in done.left_out.items():
        say(f"[yellow]note[/]  there is no {in_terminal(name)}: {in_terminal(why)}")
    say(f"[bold]exported[/]  {in_terminal(done.source)} to {in_terminal(done.folder)}")


def _as_mapping(done: Exported) -> dict[str, Any]:
    return {
        "folder": str(done.folder),
        "source": str(done.source),
        "files": sorted(path.name for path in done.folder.iterdir()),
        "metrics": done.metrics,
        "failures": done.failures,
        "left_out": done.left_out,
    }
