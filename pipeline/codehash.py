"""Hashes of the code that decides a result, found by reading imports, and versions of its libraries.

They are part of the fingerprints of steps and checkpoints, and `prep code` lists the files for DVC.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

OWN_PACKAGES = ("pipeline", "stages")
UNTRACKED = (  # modules that decide no byte of a result
    "pipeline", "pipeline.errors", "pipeline.fields", "pipeline.params", "pipeline.codehash",
    "pipeline.memory", "pipeline.progress", "pipeline.training.profile", "pipeline.run.processes",
    "pipeline.run.cluster", "pipeline.run.spread", "stages", "stages.arguments", "stages.options",
)  # fmt: skip
LIBRARIES = {  # a release of one of these may change a pixel: import name, distribution
    "cv2": "opencv-python-headless",
    "numpy": "numpy",
    "PIL": "pillow",
    "scipy": "scipy",
    "simplejpeg": "simplejpeg",
    "skimage": "scikit-image",
    "torch": "torch",
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def source_files(module: str) -> tuple[Path, ...]:
    """List the files of `module` and of all our modules that it imports, sorted.

    Imports inside functions count. A module that is imported with `import_module` does not: the caller names
    it too if it decides a result. Parameter classes do not count either: their values are tracked, and a new
    field would otherwise redo every stage. A Markdown file with the name of a module belongs to that module.
    Raise ValueError if there is no such module.
    """
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found and name not in UNTRACKED:
            if (path := find_source(name)) is None:
                raise ValueError(f"module must be one that can be imported, got {name!r}")
            found[name] = path
            waiting += imported_modules(path)
    texts = [path.with_suffix(".md") for path in found.values()]
    return tuple(sorted([*found.values(), *filter(Path.is_file, texts)]))


def code_hashes(*modules: str) -> list[str]:
    """Return the hashes of all files of `modules`."""
    return [hash_code(path) for path in files_of(*modules)]


def listing(*modules: str) -> str:
    """List all files of `modules`, one on a line: its hash, and its path relative to the packages."""
    root = Path(__file__).parent.parent
    paths = files_of(*modules)
    return "".join(f"{hash_code(path)[:16]}  {path.relative_to(root).as_posix()}\n" for path in paths)


def files_of(*modules: str) -> list[Path]:
    """List the files of `modules` and of all our modules that they import, sorted."""
    return sorted({path for module in modules for path in source_files(module)})


def library_versions(*modules: str) -> list[str]:
    """List those of LIBRARIES that the files of `modules` import, each with its version."""
    from importlib.metadata import version  # takes a while, and few commands need it

    paths = (path for path in files_of(*modules) if path.suffix == ".py")
    names = {name.partition(".")[0] for path in paths for name in imported_names(path)}
    return [f"{name} {version(LIBRARIES[name])}" for name in sorted(names & LIBRARIES.keys())]


def hash_code(path: Path) -> str:
    """Hash a file. Of Python code, hash the syntax tree without comments and docstrings."""
    data = path.read_bytes()
    return read_code(data).sha256 if path.suffix == ".py" else hashlib.sha256(data).hexdigest()


def imported_modules(path: Path) -> list[str]:
    names = (name for name in imported_names(path) if name.partition(".")[0] in OWN_PACKAGES)
    return [*filter(find_source, names)]


def imported_names(path: Path) -> tuple[str, ...]:
    """Return the dotted names that one file imports when it runs: of modules, and of objects in modules."""
    return read_code(path.read_bytes()).imports


class Code(NamedTuple):
    """The hash of the syntax tree of a file, and the names that it imports."""

    sha256: str
    imports: tuple[str, ...]


@cache
def read_code(data: bytes) -> Code:
    """Parse the bytes of a file of code, once for all stages and modules that ask."""
    tree = ast.parse(data)
    return Code(hashlib.sha256(repr(syntax_outline(tree)).encode()).hexdigest(), tuple(find_imports(tree)))


def syntax_outline(tree: ast.AST) -> list:
    """List the nodes of a syntax tree with their fields, without docstrings, positions and empty fields.

    Unlike the output of `ast.dump`, the list does not differ between versions of Python. A number says how
    many elements of a field follow, so that other trees have other lists.
    """
    listed: list = []
    put = listed.append

    def visit(node: ast.AST) -> None:
        put(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            if name == "body" and isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
                value = value[1:]  # type: ignore[index]
            if value is None or value == []:
                continue
            put(name)
            if isinstance(value, list):
                put(len(value))
            for each in value if isinstance(value, list) else (value,):
                if isinstance(each, ast.AST):
                    visit(each)
                else:
                    put(each)

    visit(tree)
    return listed


def find_imports(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a syntax tree imports when it runs; only statements can import."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for_types = isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for name in ("orelse",) if for_types else ("body", "handlers", "orelse", "finalbody", "cases"):
            waiting += getattr(node, name, ())


@cache
def find_source(name: str) -> Path | None:
    """Return the file of a module; None if there is none. Import no module, since some import torch."""
    package, *inner = name.split(".")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    if not inner:
        return Path(spec.origin)
    roots = [Path(root, *inner) for root in spec.submodule_search_locations or ()]
    files = [file for root in roots for file in (root / "__init__.py", root.with_suffix(".py"))]
    return next(filter(Path.is_file, files), None)
