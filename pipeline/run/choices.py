"""The choices of a person who looked at the pictures: which samples to keep or drop, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import Halt


@dataclass(frozen=True)
class Choices:
    """The reasons to keep samples that a limit would reject, and to drop samples, by key."""

    keep: Mapping[str, str] = field(default_factory=dict)
    drop: Mapping[str, str] = field(default_factory=dict)


NO_CHOICES = Choices()


def read_choices(keep: str, drop: str) -> Choices:
    """Read the lists of the samples to keep and to drop, two files; an empty name stands for an empty list.

    Raise Halt if a file is missing or has a broken line, or if both name the same key.
    """
    choices = Choices(read_choice_list(keep), read_choice_list(drop))
    if both := choices.keep.keys() & choices.drop.keys():
        raise Halt(f"{keep} and {drop} both name {min(both)}: remove it from one of them")
    return choices


def read_choice_list(name: str) -> dict[str, str]:
    """Read the reasons of a list by key, or {} if there is no `name`.

    A line is a key, a tab and a reason. Empty lines, and those that begin with #, do not count.
    """
    try:
        lines = Path(name).read_text("utf-8-sig").split("\n") if name else []
    except FileNotFoundError:
        raise Halt(f"{name} does not exist: make it, if only as an empty file, or name another") from None
    except UnicodeDecodeError as error:
        raise Halt(f"{name} is not UTF-8 ({error}): save it as UTF-8") from None
    reasons: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        key, _, reason = map(str.strip, line.partition("\t"))
        if not key or not reason:
            raise Halt(f"{name}, line {number}, is not a key, a tab and a reason: correct it")
        if key in reasons:
            raise Halt(f"{name}, line {number}, names {key} a second time: remove one of the lines")
        reasons[key] = reason
    return reasons
