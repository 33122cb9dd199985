"""Which files of this project a module is made of, for the memo and for the dependencies in dvc.yaml."""

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

UNTRACKED = (
    "pipeline",
    "pipeline.fields",
    "pipeline.params",
    "pipeline.progress",
    "pipeline.imports",
    "pipeline.workers",
    "pipeline.cluster",
)  # these decide no byte of a result


@cache
def sources(module: str) -> tuple[Path, ...]:
    """List the files of `module` and of all that it imports from its own package, sorted.

    Imports inside functions count: they decide the result as much as those at the top. The parameter classes
    do not: their values are tracked, and a new field would redo all that does not know it.
    """
    found, waiting = {}, [module]
    package = module.partition(".")[0]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = locate(name)
            waiting += imported(found[name], package)
    return tuple(sorted(path for name, path in found.items() if name not in UNTRACKED))


def code(*modules: str) -> list[str]:
    """Hash the files that `modules` are made of: what a memo or a checkpoint must not outlive."""
    paths = sorted({path for module in modules for path in sources(module)})
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def imported(path: Path, package: str) -> list[str]:
    """List the modules of `package` that one file imports."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.partition(".")[0] == package and locate(name)]


@cache
def locate(name: str) -> Path | None:
    """Find the file of a module and run none, as some import torch, which takes seconds; or nothing."""
    package, *inner = name.split(".")
    spec = find_spec(package)
    if not inner:
        return Path(spec.origin)
    roots = [Path(root, *inner) for root in spec.submodule_search_locations or ()]
    files = [file for root in roots for file in (root / "__init__.py", root.with_suffix(".py"))]
    return next(filter(Path.is_file, files), None)
