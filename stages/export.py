"""A trained colorizer -> ONNX, for programs in any language."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from stages.arguments import ModelFolder


def export(
    model: ModelFolder,
    dest: Annotated[
        Path,
        typer.Argument(
            help="The file to write, NAME.onnx, or its URL.", show_default=False, parser=files.to_path
        ),
    ],
) -> None:
    """Write a trained colorizer as one ONNX file: pictures of any size in, a picture out.

    All are floats in [-1, 1] of the shape (batch, channels, height, width). The inputs are sketch and cue,
    sketch and reference, or gray and mask, which is 1 where to color and 0 elsewhere; the output is picture.
    Sketch, gray and mask have one channel, the others three; only a reference may have another size.
    """
    from pipeline.models import export as exporting

    data = exporting.export_onnx(model)
    files.write(dest, data)
    typer.echo(f"export: {len(data):,} bytes written to {dest}")
