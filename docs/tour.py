"""Run the cells of tour.ipynb in order, without Jupyter, and store what they print and show: make tour."""

import ast
import base64
import io
import json
from contextlib import chdir, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image

NOTEBOOK = Path(__file__).with_suffix(".ipynb")
COLORS = 128  # of a stored picture


def run_cells(codes: list[str]) -> list[list[dict]]:
    """Run pieces of code in one namespace, in an empty folder; return the outputs of each."""
    names: dict[str, Any] = {}
    with TemporaryDirectory() as folder, chdir(folder):
        return [run_cell(code, names, number) for number, code in enumerate(codes, 1)]


def run_cell(code: str, names: dict[str, Any], number: int) -> list[dict]:
    """Run a cell; return what it prints, and the picture that it ends with, as nbformat 4 has them."""
    body = ast.parse(code).body
    end = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
    with redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module(body, []), f"<cell {number}>", "exec"), names)
        value = eval(compile(end, f"<cell {number}>", "eval"), names) if end else None
    outputs: list[dict] = []
    if lines := printed.getvalue().splitlines(keepends=True):
        outputs.append({"name": "stdout", "output_type": "stream", "text": lines})
    if isinstance(value, Image.Image):
        data = {"image/png": base64.b64encode(encode_small(value)).decode(), "text/plain": ["<a picture>"]}
        outputs.append(
            {"data": data, "execution_count": number, "metadata": {}, "output_type": "execute_result"}
        )
    return outputs


def encode_small(picture: Image.Image) -> bytes:
    """Encode a picture as a PNG of few colors."""
    file = io.BytesIO()
    picture.quantize(COLORS).save(file, "png", optimize=True)
    return file.getvalue()


def main() -> None:
    torch.set_num_threads(1)  # as in the test: after a few steps of training, other sums make another picture
    notebook = json.loads(NOTEBOOK.read_bytes())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    outputs = run_cells(["".join(cell["source"]) for cell in cells])
    for number, cell in enumerate(cells):
        cell |= {"execution_count": number + 1, "outputs": outputs[number]}
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
