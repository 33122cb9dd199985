"""The way in: the command `prep`, and `python -m inkwash`.

Our packages are called `pipeline` and `stages`, like many a folder. Where such a folder comes first on the
path (where `python -m` starts, where a Ray worker runs, or in PYTHONPATH), Python would take it for ours.
"""

import sys
from importlib.machinery import PathFinder
from pathlib import Path

PACKAGES = ("pipeline", "stages")


def prefer_ours() -> None:
    """Move each place on sys.path that has other packages of these names behind ours.

    Worker processes take the order over.
    """
    home = Path(__file__).resolve().parent
    others = [place for place in sys.path if Path(place).resolve() != home and holds_namesake(place)]
    if others:
        sys.path[:] = [*(place for place in sys.path if place not in others), str(home), *others]


def holds_namesake(place: str) -> bool:
    return any(PathFinder.find_spec(name, [place]) for name in PACKAGES)


def main() -> None:
    """Run a command."""
    prefer_ours()
    from stages.prep import main

    main()


if __name__ == "__main__":
    main()
