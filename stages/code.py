"""Parameters -> the code that decides each stage."""

import re
from pathlib import Path

from pipeline import codehash, files
from pipeline.fields import parse_section
from pipeline.operators.sketch import extra_modules
from pipeline.params import Sketch
from stages.arguments import PARAMS, Dest, Params, read_params
from stages.options import usage_errors

SKETCH_NAME = re.compile(r"[A-Za-z0-9_-]+")


def code(dest: Dest = Path("data/code"), params: Params = PARAMS) -> None:
    """List the code that decides each stage: one file per stage, with the hash of every module.

    Comments, docstrings and layout do not count. DVC runs a stage again when its file changes.
    """
    for name, modules in deciding(read_params(params, "search", "sketches", "model")).items():
        files.write(dest / f"{name}.txt", codehash.listing(*modules).encode())


def deciding(params: dict) -> dict[str, list[str]]:
    """Return for every stage its module, and the modules that it imports by name because of a parameter."""
    sample = ["stages.sample"] if params["search"].get("host", "sample") == "sample" else []
    system = f"pipeline.systems.{params['model'].get('system', 'pix2pix')}"
    stages = {name: [f"stages.{name}"] for name in ("clean", "cue", "reference", "pack")}
    stages |= {name: [f"stages.{name}", *sample] for name in ("search", "fetch")}
    stages |= {name: [f"stages.{name}", system] for name in ("train", "evaluate")}
    for name, given in params["sketches"].items():
        with usage_errors():
            if not SKETCH_NAME.fullmatch(name):
                raise ValueError(f"the name of a sketch must be letters, digits, - and _, got {name!r}")
            stages[f"sketchify-{name}"] = ["stages.sketchify", *extra_modules(parse_section(Sketch, given))]
    return stages
