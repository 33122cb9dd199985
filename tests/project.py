"""A small project: what every stage needs, the command of each, and a nursery in which they start quickly.

Run as a script this is the nursery: it imports the command line once, then forks for every order.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PREP_")} | {
    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
}
# Runs a command whose workers start however little there is to do.
EAGER = "from pipeline.run import spread; from stages import prep; spread.START_SECONDS = 0; prep.main()"
LENIENT = ("--smallest", "1", "--side", "32", "--tolerance", "100", "--blur", "9")
COMMANDS = {  # by stage: all write to the folder `out`; {host} is a site on loopback
    "search": ("search", "out/posts.jsonl", "--host", "pictures", "--size", "1"),
    "search a site": ("search", "out/posts.jsonl", "--host", "{host}", "--size", "1"),
    "fetch": ("fetch", "posts.jsonl", "out", "--host", "pictures", "--shard", "6"),
    "fetch a site": ("fetch", "site.jsonl", "out", "--host", "{host}", "--shard", "6"),
    "clean": ("clean", "original", "out", *LENIENT),
    "clean a folder": ("clean", "pictures", "out", *LENIENT),
    "sketchify": ("sketchify", "color", "out"),
    "cue": ("cue", "color", "out"),
    "reference": ("reference", "color", "out"),
    "reference to the family": ("reference", "color", "out", "--subject", "family"),
    "pack": ("pack", "color", "sketch", "cue", "reference", "out", "--val", "20", "--test", "20"),
}
OTHER = {  # by command: what makes something else of the same
    "search": ("--score", "2"), "fetch": ("--shard", "3"), "clean": ("--side", "16"),
    "sketchify": ("--blocksize", "9"), "cue": ("--sigma", "3"), "reference": ("--seed", "1"),
    "pack": ("--shards", "2", "--seed", "3"),
}  # fmt: skip
MOVES = ((os, "fsync"), (Path, "replace"), (Path, "unlink"), (Path, "hardlink_to"))


def paint(folder: Path, count: int) -> Path:
    """Write pictures in families of three; of every tenth there is a duplicate, and one is broken."""
    from made import picture

    from pipeline import files
    from pipeline.images import png

    for number in range(1, count + 1):
        data = png.encode_png(picture(number - number % 10 // 9, 72, 64))
        files.write(folder / f"ann_{number:06d}.png", data[:900] if number == 4 else data, sync=False)
        facts = {"id": number, "parent_id": number - number % 3 or number, "score": number % 5}
        files.write(folder / f"ann_{number:06d}.json", files.dumps(facts), sync=False)
    return folder


@contextmanager
def standing(home: Path, count: int, run) -> Iterator[tuple[Path, str]]:
    """Make the inputs of all stages of `count` pictures; yield their folder, and a site that has them."""
    from pipeline.booru import catalog, site

    with site.serve(catalog.folder_catalog(paint(home / "pictures", count))) as host:
        prepare(home, host, run)
        yield home, host


def prepare(home: Path, host: str, run) -> None:
    """Make the inputs of all stages in a folder that has `pictures`; `run` runs a command there."""
    for command, *rest in (
        ("search", "posts.jsonl", *COMMANDS["search"][2:]),
        ("search", "site.jsonl", "--host", host, "--size", "1"),
        ("fetch", "posts.jsonl", "original", *COMMANDS["fetch"][3:]),
        ("clean", "original", "color", *LENIENT),
        ("sketchify", "color", "sketch/b7"),
        ("cue", "color", "cue"),
        ("reference", "color", "reference"),
    ):
        done = run([command, *rest], home)
        assert done.code == 0, done.said
    shutil.rmtree(home / ".prep")
    (home / "ceilings.json").unlink()


def folder(home: Path, path: Path) -> Path:
    """Make a folder in which every stage finds its inputs."""
    path.mkdir(parents=True)
    for given in home.iterdir():
        (path / given.name).symlink_to(given)
    return path


def command(stage: str, host: str) -> list[str]:
    """Return the command of a stage."""
    return [word.format(host=host) for word in COMMANDS[stage]]


def content(path: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder by name, those left half-made too."""
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


# ---------------------------------------------------------------- the nursery


@dataclass(frozen=True)
class Done:
    """What became of a command: its exit code, below 0 for a signal, what it said, and its moves of files."""

    code: int
    said: str
    moves: int


@contextmanager
def nursery(python: str = sys.executable) -> Iterator:
    """Start a nursery and yield what runs a command in a folder, killed before move `kill` if that comes."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([python, __file__], **pipes, env=ENVIRONMENT) as child:

        def run(words: list[str], home: Path, kill: int = 0) -> Done:
            print(json.dumps([words, str(home), kill]), file=child.stdin, flush=True)
            return Done(*json.loads(child.stdout.readline()))

        yield run
        child.stdin.close()


def obey() -> None:
    """Fork for every order on stdin, and tell what became of it."""
    warm()
    for order in sys.stdin:
        ours, theirs = os.pipe()
        if not (child := os.fork()):
            become(*json.loads(order), theirs)
        os.close(theirs)
        with open(ours, encoding="utf-8") as told:
            said = told.read()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said, _, moves = said.rpartition("\0")
        print(json.dumps([code, said, int(moves or 0)]), flush=True)


def warm() -> None:
    """Import what commands import, and read what decides their results, so that every child has done so."""
    from PIL import Image

    from pipeline import codehash
    from pipeline.booru import site
    from pipeline.local import source
    from pipeline.operators import clean, cue, sketch, warp
    from pipeline.run import step
    from pipeline.sources import fetch, search
    from stages import prep

    for module in (site, clean, cue, fetch, search, sketch, source, step, warp):
        codehash.source_files(module.__name__)
    Image.init()
    sys.argv = ["prep", "gc", "--help"]
    with suppress(SystemExit), open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        prep.main()


def become(words: list[str], home: str, kill: int, out: int) -> None:
    """Be the command line; end with its exit code, and tell how many moves it made."""
    from stages import prep

    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(home)
    sys.argv = ["prep", *words]
    count = watch(kill)
    try:
        prep.main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 70
    print("\0", count[0], sep="", end="", flush=True)
    os._exit(code)


def watch(kill: int) -> list[int]:
    """Count the moves of files from now on, and die before one of them."""
    count = [0]

    def watched(move):
        def moved(*given, **options):
            count[0] += 1
            if count[0] == kill:
                os.kill(os.getpid(), signal.SIGKILL)
            return move(*given, **options)

        return moved

    for place, name in MOVES:
        setattr(place, name, watched(getattr(place, name)))
    return count


if __name__ == "__main__":
    obey()
