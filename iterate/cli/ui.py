"""`iterate ui`: the MLflow dashboard on what a run wrote."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from iterate_core.escaping import visible


def ui(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A run's folder, or the folder of all runs. [default: runs]", show_default=False
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 5000,
    uri: Annotated[
        str | None,
        typer.Option(
            help="The database that `tracking.uri` named, instead of the folder's own store.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Open the MLflow dashboard on what a run wrote; Ctrl-C ends it."""
    from iterate.tracking.server import find_store, serve
    from iterate.tracking.store import place
    from iterate.tracking.urls import front

    if uri is not None and uri.startswith(("http://", "https://")):
        typer.echo(visible(f"That server has its own dashboard: {uri}"))
        return
    runs = Path("runs")
    store = find_store(folder, runs) if uri is None else place(uri, folder or runs)

    experiment = None if folder is None else folder.resolve().name

    def ready(address: str) -> None:
        typer.echo(visible(f"The dashboard of {store.shown} is at {address}"))
        with suppress(OSError):  # the links are a convenience
            for shown, link in front(address, experiment).items():
                typer.echo(visible(f"  {shown:<8} {link}"))
        typer.echo("Ctrl-C ends it.")

    typer.echo("Starting the MLflow server …", err=True)
    serve(store, host, port, ready)
