"""The code and the libraries that decide a result, found by reading imports.

They are part of the fingerprints of the memo and of checkpoints, and `prep code` lists them for DVC.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

OWN = ("pipeline", "stages")  # packages
UNTRACKED = (  # these decide no byte of a result
    "pipeline",
    "pipeline.errors",
    "pipeline.fields",
    "pipeline.params",
    "pipeline.codehash",
    "pipeline.memory",
    "pipeline.progress",
    "pipeline.training.profile",
    "pipeline.run.processes",
    "pipeline.run.cluster",
    "pipeline.run.spread",
    "stages",
    "stages.arguments",
    "stages.options",
)
LIBRARIES = {  # a release of one of these may change a pixel: import name, distribution
    "cv2": "opencv-python-headless",
    "numpy": "numpy",
    "PIL": "pillow",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "torch": "torch",
}


@cache
def source_files(module: str) -> tuple[Path, ...]:
    """List the files of `module` and of all our modules that it imports, sorted.

    Imports inside functions count. A module imported by its name, with `import_module`, does not: the caller
    adds it where it decides a result. Parameter classes do not count either: their values are tracked, and a
    new field would otherwise redo everything that does not know it. A text file with the name of its module,
    such as a template, belongs to that module.
    """
    found, waiting = {}, [module]
    while waiting:
        name = waiting.pop()
        if name not in found and name not in UNTRACKED:
            found[name] = find_source(name)
            waiting += imported_modules(found[name])
    texts = [path.with_suffix(".md") for path in found.values()]
    return tuple(sorted([*found.values(), *filter(Path.is_file, texts)]))


def code_hashes(*modules: str) -> list[str]:
    """Hash the files that `modules` are made of."""
    return [hash_code(path) for path in files(*modules)]


def listing(*modules: str) -> str:
    """List the files that `modules` are made of, a line each: its hash, and its path below the packages."""
    root = find_source("pipeline").parent.parent
    return "".join(
        f"{hash_code(path)[:16]}  {path.relative_to(root).as_posix()}\n" for path in files(*modules)
    )


def files(*modules: str) -> list[Path]:
    """List the files that `modules` are made of, sorted."""
    return sorted({path for module in modules for path in source_files(module)})


def library_versions(*modules: str) -> list[str]:
    """List those of LIBRARIES that the files of `modules` import, each with its version."""
    paths = (path for path in files(*modules) if path.suffix == ".py")
    names = {name.partition(".")[0] for path in paths for name in imported_names(path)}
    return [f"{name} {version(LIBRARIES[name])}" for name in sorted(names & LIBRARIES.keys())]


def hash_code(path: Path) -> str:
    """Hash a file; of Python code the syntax tree, without comments and docstrings."""
    data = path.read_bytes()
    if path.suffix == ".py":
        data = repr(syntax_outline(ast.parse(data))).encode()
    return hashlib.sha256(data).hexdigest()


def syntax_outline(node: object) -> object:
    """Turn a syntax tree into nested lists, without docstrings, positions and empty fields.

    `ast.dump` differs between versions of Python, and these lists do not.
    """
    if isinstance(node, list):
        return [syntax_outline(each) for each in node]
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        fields["body"] = fields["body"][ast.get_docstring(node) is not None :]
    filled = [[name, syntax_outline(each)] for name, each in fields.items() if each not in (None, [])]
    return [type(node).__name__, *filled]


def imported_modules(path: Path) -> list[str]:
    """List our modules that one file imports."""
    return [name for name in imported_names(path) if name.partition(".")[0] in OWN and find_source(name)]


def imported_names(path: Path) -> Iterator[str]:
    """Yield every name that one file imports when it runs, with dots; some may be names within modules."""
    waiting: list[ast.AST] = [ast.parse(path.read_bytes())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def find_source(name: str) -> Path | None:
    """Find the file of a module without running any, as some import torch, which takes seconds; or None."""
    package, *inner = name.split(".")
    spec = find_spec(package)
    if not inner:
        return Path(spec.origin)
    roots = [Path(root, *inner) for root in spec.submodule_search_locations or ()]
    files = [file for root in roots for file in (root / "__init__.py", root.with_suffix(".py"))]
    return next(filter(Path.is_file, files), None)
