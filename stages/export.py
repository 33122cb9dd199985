"""A trained colorizer -> ONNX, for programs in any language."""

from pathlib import Path
from typing import Annotated

from pipeline import files
from stages.arguments import ModelFolder, path_or_url, say


def export(
    model: ModelFolder, dest: Annotated[Path, path_or_url("The file to write, NAME.onnx, or its URL.")]
) -> None:
    """Write a trained colorizer as one ONNX file that colors pictures of any size.

    The inputs are sketch and cue, sketch and reference, or gray and mask (1 where to color, 0 elsewhere); the
    output is picture. All are floats in [-1, 1] of shape (batch, channels, height, width). Sketch, gray and
    mask have one channel, the others three; only a reference may have another size. wash takes a sketch, a
    guide with its opacity (0 to 1) as a fourth channel, and kind: docs/colorize.md has its numbers.
    """
    from pipeline.models import export as exporting

    with files.lock_files(dest):
        data = exporting.export_onnx(model)
        files.write(dest, data)
    say(f"export: {len(data):,} bytes written to {dest}")
