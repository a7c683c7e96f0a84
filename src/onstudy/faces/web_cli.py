"""`onstudy serve`: the web site on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from onstudy.errors import OnstudyError
from onstudy.faces.registry_cli import RegistryFile, open_registry


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; only this machine can reach it unless given.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Which port; 0 takes a free one.")] = 8000,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name the site goes by (trials.example); may be repeated."),
    ] = None,
    address: Annotated[
        str, typer.Option(metavar="URL", help="The public address, for canonical links: https://trials.example")
    ] = "",
    status_age: Annotated[
        int, typer.Option(metavar="DAYS", min=0, max=36500, help="How old a status may be to count as current.")
    ] = 90,
    workers: Annotated[int, typer.Option(metavar="N", min=1, max=64, help="Processes that serve.")] = 1,
    registry: RegistryFile = "",
) -> None:
    """Pages to find a trial, ask whether it could be for somebody, and screen; and the REST API."""
    try:
        from onstudy.faces.web import app, safety, serve, stock
    except ModuleNotFoundError as error:
        raise OnstudyError(f"{error.name} is not installed; install onstudy with its web extra: onstudy[web]") from None
    if address and not address.startswith(("http://", "https://")):
        raise OnstudyError(f"--address {address[:60]!r} does not begin with https:// or http://")
    names = [*safety.LOOPBACK, *(one.lower() for one in name or ())]
    only_here = host in ("127.0.0.1", "localhost", "::1")
    open_registry(registry).close()  # a registry that cannot be read is told before anything is served

    serve.run(
        lambda: app.create_app(
            stock.Stock(open_registry(registry), max_age=status_age, address=address.rstrip("/")),
            hosts=names if only_here or name else [],
        ),
        host, port, workers,
        lambda where: print(f"onstudy serves on {where}", flush=True),
    )  # fmt: skip
