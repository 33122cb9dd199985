"""A source of pictures -> a project that makes a dataset of them."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.errors import Halt
from pipeline.upkeep import project
from stages.arguments import PARAMS, say
from stages.options import usage_errors
from stages.site import is_site

ASK = "A folder of pictures, or another source that `prep search --help` lists"
STAGES_FILE = Path("dvc.yaml")
CHOICES = ("keep.tsv", "drop.tsv")  # the lists that params.yaml names, empty
PICTURES_MADE = ("data/color", "metrics")  # folders into which the stages write pictures


def init(
    folder: Annotated[Path, typer.Argument(help="The folder of the project; need not exist.")] = Path(),
    host: Annotated[
        str | None,
        typer.Option(
            help="Where the pictures come from, as for `prep search`.", show_default="asked on a terminal"
        ),
    ] = None,
) -> None:
    """Begin a project anywhere: its stages, its parameters, and the set-up of git and DVC.

    Writes dvc.yaml and params.yaml, unless one of them exists, the lists keep.tsv
    and drop.tsv for `prep clean`, unless they exist, and adds what is missing to
    .gitignore, .dvcignore and .dvc. The stages use the inkwash
    that is installed: after an upgrade, `dvc repro` runs those again whose code
    has changed. A FOLDER in no git repository becomes one, because DVC compares
    commits.

    Of a source on this machine, a search then takes all pictures that no other
    parameter leaves out; params.yaml has all of them. A path inside of FOLDER is
    written relative to it, so that the project can be moved.
    """
    for path in (folder / STAGES_FILE, folder / PARAMS):
        if path.exists():
            raise Halt(f"{path} exists, so nothing was written: move it, or name another folder")
    with usage_errors():
        if host is None and not sys.stdin.isatty():
            raise ValueError("host must be given where there is no terminal to ask on")
        source = place_source(typer.prompt(ASK) if host is None else host, folder.absolute())
    set_up_dvc(folder)
    for name in (".gitignore", ".dvcignore"):
        path = folder / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        files.write(path, project.ignore_lines(name, before).encode())
    files.write(folder / PARAMS, project.make_params(source, whole=not is_site(source)).encode())
    for name in CHOICES:
        if not (folder / name).exists():
            files.write(folder / name, project.original(name).read_bytes())
    files.write(folder / STAGES_FILE, project.make_stages().encode())
    say(f"init: began a project in {folder}; {folder / PARAMS} says which pictures of {source} to take")
    say("init: in this folder, dvc repro pack makes the dataset, and dvc repro a model too")


def place_source(host: str, folder: Path) -> str:
    """Return a source as params.yaml names it: a path is absolute, or relative to `folder` if it is inside.

    Raise ValueError if it is missing, or if the project would make pictures among those of the source.
    """
    if is_site(host):
        return host
    from pipeline.local.source import READERS

    kind, _, rest = host.partition(":")
    prefix, rest = (f"{kind}:", rest) if kind in READERS and rest else ("", host)
    path = Path(os.path.abspath(Path(rest).expanduser()))
    if not rest or not (path.is_file() if prefix == "list:" else path.is_dir()):
        rule = "sample, the address of a Danbooru, a folder, or dump:, list:, pairs: or halves: before a path"
        raise ValueError(f"host must be {rule} that exists, got {host!r}")
    if any((folder / name).is_relative_to(path) for name in PICTURES_MADE):
        rule = "a folder in which the project does not write its own pictures"
        raise ValueError(f"host must be {rule}, got {host!r}: begin the project in another folder")
    return prefix + (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def set_up_dvc(folder: Path) -> None:
    """Make a folder a project of DVC, and of git if it is in no repository. Raise Halt if they refuse.

    Settings that it has stay, but for those that the commands of the stages depend on.
    """
    from dvc.config import Config
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from scmrepo.exceptions import SCMError
    from scmrepo.git import Git

    logging.getLogger("dvc").setLevel(logging.WARNING)  # our own lines say what was done
    folder.mkdir(parents=True, exist_ok=True)
    home = folder.absolute()
    try:
        if not (home / ".dvc").is_dir():
            if not any((place / ".git").exists() for place in (home, *home.parents)):
                Git.init(str(home)).close()
            Repo.init(str(home), subdir=True).close()
        with Config(str(home / ".dvc")).edit() as config:
            ours = Config.load_file(project.original(".dvc/config"))
            for section, values in ours.items():
                config[section] = values | config[section]
            config["parsing"] |= ours["parsing"]
        if not (page := home / ".dvc" / "plots.html").exists():  # the template that the settings name
            files.write(page, project.original(".dvc/plots.html").read_bytes())
    except (DvcException, SCMError) as error:
        raise Halt(f"DVC cannot be set up in {folder} ({error}): correct that, then try again") from error
