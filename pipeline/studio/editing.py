"""PUT /api/params and PUT /api/choices: edits of params.yaml and of the lists by hand that clean reads.

Each edit names the SHA-256 of what the page saw, and is refused if that is no longer so. Only files of the
project are edited, and no links. GET gives what the page may edit.
"""

import hashlib
import re
import stat
from collections.abc import Mapping
from dataclasses import fields
from difflib import unified_diff
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.errors import Halt
from pipeline.fields import Section, describe_rule, parse_section
from pipeline.files import lock_files, write
from pipeline.operators.limits import RULES
from pipeline.params import Clean, Pack, Sketch, misnamed_blocksize
from pipeline.run.choices import read_choices
from pipeline.shards.column import find_sample
from pipeline.shards.ledger import LEDGER, find_reject
from pipeline.studio.project import plain
from pipeline.studio.safety import answer_json, read_json
from pipeline.studio.state import Studio
from pipeline.untrusted import UNPRINTABLE, Test, is_flag, is_number, is_text, matches
from pipeline.upkeep.params_file import parse_params, set_params

NUMBERS: dict[str, tuple[type[Section], set[str]]] = {  # the parameters that the page may set, by section
    "clean": (Clean, {rule.limit for rule in RULES}),
    "pack": (Pack, {"near"}),
}
ENTRY_NAME = re.compile("[a-z0-9][a-z0-9-]{0,63}")  # of a sketch: pack takes no others
KEY = re.compile(r"[^#./\\\s][^./\\\s]{0,239}")
LONGEST_REASON = 500  # characters
LISTS = ("keep", "drop")


def edit_routes(studio: Studio) -> list[Route]:
    async def params(request: Request) -> Response:
        return answer_json(await studio.run(describe_params, studio))

    async def set_values(request: Request) -> Response:
        return answer_json(await studio.run(edit_params, studio, await read_json(request)))

    async def choices(request: Request) -> Response:
        return answer_json(await studio.run(describe_choices, studio))

    async def choose(request: Request) -> Response:
        return answer_json(await studio.run(edit_choices, studio, await read_json(request)))

    return [
        Route("/api/params", params),
        Route("/api/params", set_values, methods=["PUT"]),
        Route("/api/choices", choices),
        Route("/api/choices", choose, methods=["PUT"]),
    ]


# ---------------------------------------------------------------- params.yaml


def describe_params(studio: Studio) -> dict[str, Any]:
    """Return the sections of params.yaml, and the SHA-256 of the file. Raise Halt if there is none."""
    path = find_file(studio)
    data = read_text_file(path)
    return {"file": path.name, "sha256": sha256_of(data), "values": plain(parse(path, data))}


def edit_params(studio: Studio, given: Mapping[str, Any]) -> dict[str, Any]:
    """Set values of a section of params.yaml, or with `dry` only show what would change.

    Return the difference as lines, and the SHA-256 of the file with it. Raise HTTPException for wrong values
    and after a change of the file, Halt if it cannot be edited.
    """
    section, values, sha256, dry = take(
        given, section=is_text, values=is_object, sha256=is_sha256, dry=is_flag
    )
    path = find_file(studio)
    check_own(studio.home, path)
    with lock_files(None if dry else path):
        before = read_text_file(path)
        check_seen(path.name, sha256, sha256_of(before))
        document = parse(path, before)
        try:
            wanted = check_values(section, values, document.get(section) or {})
        except ValueError as error:
            raise HTTPException(400, f"section {section}: {error}") from None
        after = set_params(Path(path.name), before.decode(), section, wanted).encode()
        if not dry and after != before:
            replace_file(path, after)
    return {"diff": show_difference(path.name, before, after), "sha256": sha256_of(after)}


def check_values(section: str, values: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as they are to be written. Raise ValueError for one that the page may not set."""
    if section == "sketches":
        return {name: check_sketch(name, entry, current) for name, entry in values.items()}
    kind, names = NUMBERS.get(section, (Section, set()))
    rules = {field.name: field for field in fields(kind) if field.name in names}
    for name, value in values.items():
        if name not in rules:
            raise ValueError(f"{name!r:.60} is not for the page to set: edit it by hand")
        if not is_number(value):
            raise ValueError(f"{name} must be {describe_rule(rules[name])}, got {value!r:.60}")
    parsed = parse_section(kind, {**current, **values})
    return {name: getattr(parsed, name) for name in values}


def check_sketch(name: str, entry: Any, current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a new sketch. Raise ValueError if its name or a value is wrong."""
    if not ENTRY_NAME.fullmatch(name):
        raise ValueError(f"a name must be lower case letters, digits and hyphens, got {name!r:.60}")
    if name in current:
        raise ValueError(f"there is a sketch {name} already: choose another name")
    if not is_object(entry) or not all(is_number(value) or is_text(value) for value in entry.values()):
        raise ValueError(f"the parameters of {name} must be numbers and texts")
    parsed = parse_section(Sketch, entry)
    if blocksize := misnamed_blocksize(name, entry):
        raise ValueError(f"the name {name} gives another blocksize than {blocksize}: choose another name")
    return {field: getattr(parsed, field) for field in entry}


def show_difference(name: str, before: bytes, after: bytes) -> list[str]:
    """Return the lines of a unified difference."""
    old, new = (data.decode().replace("\r\n", "\n").split("\n") for data in (before, after))
    return [*unified_diff(old, new, name, name, n=2, lineterm="")]


def parse(path: Path, data: bytes) -> dict[str, Any]:
    try:
        return parse_params(data.decode())
    except ValueError as error:
        raise Halt(f"{path} cannot be read ({error}): correct it") from None


def clean_params(given: Any) -> Clean:
    """Make the parameters of clean of its section. Raise Halt."""
    try:
        return parse_section(Clean, given)
    except ValueError as error:
        raise Halt(f"params.yaml, section clean: {error}") from None


# ---------------------------------------------------------------- keep and drop


def describe_choices(studio: Studio) -> dict[str, Any]:
    """Return the reasons of both lists by key, the names of their files, and a SHA-256 of both together."""
    paths = find_lists(studio)
    choices = read_choices(*(str(paths.get(name, "")) for name in LISTS))
    files = {name: path.as_posix() for name, path in paths.items()}
    seen = {name: read_text_file(path) for name, path in paths.items()}
    return {"keep": {**choices.keep}, "drop": {**choices.drop}, "files": files, "sha256": digest_lists(seen)}


def edit_choices(studio: Studio, given: Mapping[str, Any]) -> dict[str, Any]:
    """Put a key on the list to keep or to drop, with a reason, or with the list "none" on neither.

    Return the lists as `describe_choices` does. Raise HTTPException for a wrong key or reason and after a
    change of a list, Halt if a list cannot be edited.
    """
    name, key, reason, sha256 = take(
        given, list=matches("keep|drop|none"), key=is_text, reason=is_text, sha256=is_sha256
    )
    check_choice(studio, key, reason if name != "none" else "none")
    paths = find_lists(studio)
    if name not in (*paths, "none"):
        raise HTTPException(400, f"params.yaml names no file for clean.{name}: set it, such as to {name}.tsv")
    for path in paths.values():
        check_own(studio.home, path)
    with lock_files(*paths.values()):
        seen = {each: read_text_file(path) for each, path in paths.items()}
        check_seen(" or ".join(path.name for path in paths.values()), sha256, digest_lists(seen))
        describe_choices(studio)  # a list with a fault is not edited
        for each in sorted(paths, key=lambda each: each == name):  # after a kill no key is on both lists
            text = seen[each].decode()
            edited = set_line(text, key, reason.strip() if each == name else "").encode()
            if edited != seen[each]:
                replace_file(paths[each], edited)
    return describe_choices(studio)


def check_choice(studio: Studio, key: str, reason: str) -> None:
    """Raise HTTPException unless clean knows the key, and the reason fits on a line."""
    if not 0 < len(reason.strip()) <= LONGEST_REASON or "\t" in reason or UNPRINTABLE.search(reason):
        raise HTTPException(
            400, f"a reason must be one line of 1 to {LONGEST_REASON} characters, without tabs"
        )
    column = studio.data / "color"
    if not KEY.fullmatch(key) or not (find_sample(column, key) or find_reject(column / LEDGER, key)):
        raise HTTPException(404, f"{column} knows no picture of this key")


def set_line(text: str, key: str, reason: str) -> str:
    """Return the text of a list with the reason of a key, or without the key if the reason is empty."""
    found = re.search(rf"(?m)^(\ufeff?)[^\S\t\n]*{re.escape(key)}[^\S\t\n]*\t[^\n]*\n?", text)
    newline = "\r\n" if "\r\n" in text else "\n"
    line = f"{key}\t{reason}" if reason else ""
    if found:
        end = found[0][len(found[0].rstrip("\r\n")) :] if line else ""
        return text[: found.end(1)] + line + end + text[found.end() :]
    gap = newline if line and text.strip("\ufeff") and not text.endswith("\n") else ""
    return text + gap + (line and line + newline)


def find_lists(studio: Studio) -> dict[str, Path]:
    """Return the files of the lists that params.yaml names. Raise Halt if both are one."""
    clean = clean_params(describe_params(studio)["values"].get("clean"))
    named = {"keep": clean.keep, "drop": clean.drop}
    paths = {name: studio.home / file for name, file in named.items() if file}
    if len({*paths.values()}) < len(paths):
        raise Halt(
            f"params.yaml names {clean.keep} for both clean.keep and clean.drop: name another file for one"
        )
    return paths


def digest_lists(seen: Mapping[str, bytes]) -> str:
    """Return one SHA-256 for both lists."""
    return sha256_of("".join(f"{name} {sha256_of(data)}\n" for name, data in seen.items()).encode())


# ---------------------------------------------------------------- requests and files


def take(given: Mapping[str, Any], **tests: Test) -> list[Any]:
    """Return the values of these names. Raise HTTPException if one is missing or of another type."""
    for name, fits in tests.items():
        if not fits(given.get(name)):
            raise HTTPException(400, f"the request needs {', '.join(tests)}: {name} is missing or wrong")
    return [given[name] for name in tests]


def is_object(value: Any) -> bool:
    return isinstance(value, dict)


is_sha256 = matches("[0-9a-f]{64}")


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def check_seen(name: str, seen: str, now: str) -> None:
    """Raise HTTPException if the page saw something else than there is now."""
    if seen != now:
        raise HTTPException(409, f"{name} changed since this page read it: load the page again")


def find_file(studio: Studio) -> Path:
    if studio.params is None:
        raise Halt("there is no params.yaml here: start prep studio in the folder of a project")
    return studio.params


def read_text_file(path: Path) -> bytes:
    """Read a file that is to be UTF-8. Raise Halt if it cannot be read."""
    try:
        data = path.read_bytes()
        data.decode()
    except FileNotFoundError:
        raise Halt(f"{path} does not exist: make it, if only as an empty file, or name another") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Halt(f"{path} cannot be read ({error}): correct it") from None
    return data


def check_own(home: Path, path: Path) -> None:
    """Raise Halt unless a file is one of the project, and can be read and written."""
    if path.is_symlink() or not path.resolve().is_relative_to(home.resolve()):
        raise Halt(f"{path} is a link, or outside of the project: edit it by hand")
    read_text_file(path)
    if not path.stat().st_mode & stat.S_IWUSR:
        raise Halt(f"{path} is read-only: allow to write it, or edit it by hand")


def replace_file(path: Path, data: bytes) -> None:
    """Write a file completely or not at all, with the permissions that it had. Raise Halt if it cannot be."""
    mode = stat.S_IMODE(path.stat().st_mode)
    try:
        write(path, data)
        path.chmod(mode)
    except OSError as error:
        raise Halt(f"{path} cannot be written ({error}): make room, or allow it, then write again") from None
