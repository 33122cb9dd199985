"""The files of a new project, made of those with which inkwash itself makes its sample."""

import io
from pathlib import Path

from ruamel.yaml import YAML

from pipeline.upkeep.params_file import set_params

INSTALLED = Path(__file__).with_name("project")  # of a wheel, see setup.py
CHECKOUT = Path(__file__).parent.parent.parent
TAKE_ALL = {"tags": "", "limit": 0}  # of `search`, to take all pictures of a folder


def original(name: str) -> Path:
    """Return the file of this name that inkwash has for its sample."""
    return (INSTALLED if INSTALLED.is_dir() else CHECKOUT) / name


def make_stages() -> str:
    """Return a dvc.yaml whose stages follow the code of the installed inkwash, wherever that is."""
    yaml, out = YAML(), io.StringIO(newline="")
    yaml.preserve_quotes = True
    yaml.width = 10**6
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(original("dvc.yaml").read_text(encoding="utf-8"))
    code = document["stages"]["code"]
    del code["deps"]
    code.insert(1, "always_changed", True, comment="DVC cannot see an upgrade of inkwash")
    document.pop("plots", None)  # of the comparison in docs/
    yaml.dump(document, out)
    return out.getvalue().rstrip() + "\n"


def make_params(host: str, whole: bool) -> str:
    """Return a params.yaml for a source; with `whole`, a search takes all pictures of it.

    The sketches of pairs and halves become a column of their own.
    """
    path = original("params.yaml")
    text = path.read_text(encoding="utf-8")
    text = set_params(path, text, "search", {"host": host} | (TAKE_ALL if whole else {}))
    if host.startswith(("pairs:", "halves:")):
        text = set_params(path, text, "sketches", {"own": {"method": "own"}})
    return text


def ignore_lines(name: str, before: str) -> str:
    """Return the content of .gitignore or .dvcignore with the lines for a project that it lacks."""
    wanted, _, _ = original(name).read_text(encoding="utf-8").partition("\n\n")  # the rest is for our code
    missing = [line for line in wanted.splitlines() if line not in before.splitlines()]
    if before and not before.endswith("\n"):
        before += "\n"
    return before + "".join(f"{line}\n" for line in missing)
