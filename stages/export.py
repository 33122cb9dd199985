"""A trained colorizer -> ONNX, for programs in any language, or a page that colors drawings."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from pipeline import files
from stages.arguments import CACHE, Cache, say


def export(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="The folder of a trained model, or for a page an ONNX file.",
            show_default="for a page, data/model, or else the one that ships",
        ),
    ] = None,
    dest: Annotated[
        Path | None,
        typer.Argument(
            help="The file to write, NAME.onnx, or its URL; not needed for a page.",
            parser=files.to_path,
            show_default=False,
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write a page that colors drawings by the model to this folder.")
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            help="npm, to take ONNX Runtime Web for the page from npm, or a folder that has it.",
            show_default="what --cache has",
        ),
    ] = None,
    cache: Cache = CACHE,
) -> None:
    """Write a trained colorizer as one ONNX file that colors pictures of any size, or as a page.

    The inputs are sketch and cue, sketch and reference, or gray and mask (1 where to color, 0 elsewhere); the
    output is picture. All are floats in [-1, 1] of shape (batch, channels, height, width). Sketch, gray and
    mask have one channel, the others three; only a reference may have another size. wash takes a sketch, a
    guide with its opacity (0 to 1) as a fourth channel, and kind: docs/colorize.md has its numbers.

    A page is a folder that any static server can send, for a browser that needs nothing else: it colors like
    prep colorize, and sends no drawing anywhere.
    """
    if not page and not (model and dest):
        raise typer.BadParameter("name a model and the file to write, or a folder by --page")
    if runtime and not page:
        raise typer.BadParameter("--runtime belongs to --page")
    data = write_onnx(model, dest) if model and dest else b""
    if page:
        export_page(model, data, page, runtime, cache)


def write_onnx(model: Path, dest: Path) -> bytes:
    from pipeline.models import export as exporting

    with files.lock_files(dest):
        data = exporting.export_onnx(model)
        files.write(dest, data)
    say(f"export: {len(data):,} bytes written to {dest}")
    return data


def export_page(model: Path | None, data: bytes, folder: Path, runtime: str | None, cache: Path) -> None:
    """Write the page of a model, of which `data` is the ONNX file if it is there already."""
    from pipeline.models.network import find_model
    from pipeline.studio import page
    from pipeline.studio.runtime import find_runtime

    page.check_page_folder(folder)
    parts = find_runtime(runtime, cache)
    chosen = model or find_model()
    with TemporaryDirectory(prefix="prep-") as scratch:
        file = page.find_onnx(chosen)
        if file is None:
            from pipeline.models.export import export_onnx

            file = Path(scratch, f"{chosen.name}.onnx")
            file.write_bytes(data or export_onnx(chosen))
        size = page.save_page(folder, file, parts)
    say(f"export: a page of {size:,} bytes written to {folder}; any static server can send it")
