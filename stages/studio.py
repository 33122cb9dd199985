"""A page to color drawings and to look at a dataset, on this machine."""

import secrets
import webbrowser
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from pipeline.files import to_path
from stages.arguments import DATA, Device, ParamsFile, TrainedModel, emit, find_params, read_params, say


def studio(
    data: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of columns, a packed dataset, or the URL of one.",
            parser=to_path,
            show_default="data",
        ),
    ] = None,
    model: TrainedModel = None,
    params: ParamsFile = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="The port to listen on; 0 for a free one.",
            show_default="8642, or a free one if that is taken",
        ),
    ] = None,
    device: Device = "auto",
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Open a page that colors drawings and shows a dataset, for this machine alone.

    It prints the address of the page, and serves it until Ctrl-C. Only this machine can ask the server, and
    only who has the address can change a file. Drawings stay on this machine.
    """
    from pipeline.models.network import SHIPPED, find_model
    from pipeline.studio import server
    from pipeline.studio.state import Studio
    from stages import runs

    chosen = model or find_model()
    title = "the model that ships with inkwash" if chosen.is_relative_to(SHIPPED) else str(chosen)
    listener = server.listen(port)
    found = Studio(
        data=data or DATA,
        params=find_params(params),
        model=chosen,
        title=title,
        version=version("inkwash"),
        token=secrets.token_urlsafe(16),
        port=listener.getsockname()[1],
        device=device,
        functions={"read_params": read_params, **runs.FUNCTIONS},
    )
    address = f"http://{server.LOOPBACK}:{found.port}/#token={found.token}"
    if port is None and found.port != server.PORT:
        say(f"studio: the port {server.PORT} is taken; drawings saved at that address are not here", err=True)
    say(f"studio: shows {found.data}, colors by {title}, until Ctrl-C", err=True)
    emit(address)
    if open_page:
        webbrowser.open_new_tab(address)
    with suppress(KeyboardInterrupt):
        server.serve_page(found, listener)
