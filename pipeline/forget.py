"""Take posts out of a project, and keep them from coming back.

What must go is found first and written down beside the columns: one file tells whose picture lies in another,
so that after a kill the next run could not find it again. A column changes in two moves: its new shards are
laid into a folder inside it and closed by the new seal, then all of that takes its place. Each step can be
taken again.
"""

import csv
import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node

from pipeline import Halt, samples
from pipeline.files import dumps, whole, write
from pipeline.params import Search
from pipeline.posts import key_of, read_posts
from pipeline.samples import Shard
from pipeline.selection import is_forgotten

STAGED = ".forget"  # folder in a column: what is new of it
PENDING = ".forget.json"  # beside the columns: what an unfinished run had found
PART = re.compile(r"\..*\.[0-9a-f]{32}\.part")  # what a kill left of a file being written


@dataclass
class Found:
    """What must go: keys of samples, and the md5 of their originals."""

    keys: set[str]
    md5s: set[str]


def forget(
    names: Iterable[str],
    *,
    params: Path,
    posts: Path,
    data: Path,
    cache: Path,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Counter[Path]:
    """Remove posts, given as IDs and artist:NAME, and count what was removed from where.

    `params` is told never to take them again; they leave the file `posts`, columns and tables below `data`,
    and the folder `cache`. After each shard that was looked through `tick` gets how many were, of how many.
    Raise ValueError for another name, and Halt, with nothing removed, if a column is not as its seal says.
    """
    words = parse(names)
    columns = list_columns(data)
    for column in columns:
        settle(column)
    found = look(words, posts, columns, tick)
    remember(params, words)
    take_over(data / PENDING, found)
    removed = Counter({posts: strike(posts, found.keys), cache: purge(cache, found)})
    for column in columns:
        removed[column] += lay_down(column, found.keys)
        settle(column)
    for table in sorted(data.rglob("*.tsv")):
        if table.name != samples.INDEX:
            removed[table] += prune(table, found.keys)
    for half_made in [path for path in data.rglob("*.part") if PART.fullmatch(path.name)]:
        half_made.unlink()
    (data / PENDING).unlink()
    return +removed


def parse(names: Iterable[str]) -> list[str]:
    """Split names into words, IDs without leading zeros. Raise ValueError for what is neither."""
    words = " ".join(names).split()
    if not words:
        raise ValueError("forget must be IDs and artist:NAME, got nothing")
    Search(forget=" ".join(words))
    return [str(int(word)) if word.isdecimal() else word for word in words]


def list_columns(data: Path) -> list[Path]:
    """List the folders of shards below a folder, those without a seal too: to read them raises Halt."""
    return [column for column in samples.columns(data) if column.name != STAGED]


# ---------------------------------------------------------------- what must go


def look(words: list[str], posts: Path, columns: list[Path], tick: Callable[[int, int], None]) -> Found:
    """Find the posts and samples that are meant; the key of an ID counts as found. Raise Halt."""
    names = set(words)
    found = Found({key_of({"id": int(word)}) for word in words if word.isdecimal()}, set())

    def note(key: str, post: dict, md5: str) -> None:
        if key in found.keys or is_forgotten(post, names):
            found.keys.add(key)
            found.md5s.update(re.findall(r"\b[0-9a-f]{32}\b", md5))  # some posts hide it

    for post in read_posts(posts) if posts.is_file() else ():
        note(key_of(post), post, post.get("md5") or "")
    shards = [shard for column in columns for shard in samples.shards(column)]
    for number, shard in enumerate(shards, 1):
        for sample in shard:
            facts = sample.facts
            post = {"id": sample.key, "tag_string_artist": facts.get("artist", "")}
            note(sample.key, post, f"{facts.get('md5')} {facts.get('file_md5')}")
        tick(number, len(shards))
    return found


def take_over(todo: Path, found: Found) -> None:
    """Add what a run that was killed had found, and write all of it down for the next."""
    if todo.is_file():
        before = json.loads(todo.read_bytes())
        found.keys.update(before["keys"])
        found.md5s.update(before["md5s"])
    write(todo, dumps({"keys": sorted(found.keys), "md5s": sorted(found.md5s)}))


# ---------------------------------------------------------------- parameters


def remember(params: Path, words: list[str]) -> None:
    """Add words to `search.forget` in a YAML file, and change no other byte of it. Raise Halt."""
    try:
        text = params.read_bytes().decode()
        _, section = find(YAML(typ="safe", pure=True).compose(text), "search")
    except (FileNotFoundError, YAMLError):
        raise Halt(f"{params} is missing or no YAML: run this in the folder of a project") from None
    if not isinstance(section, MappingNode) or not section.value:
        raise Halt(f"{params} has no section search: run this in the folder of a project")
    _, value = find(section, "forget")
    before = value.value.split() if value else []
    if after := [word for word in dict.fromkeys(words) if word not in before]:
        quoted = json.dumps(" ".join([*before, *after]), ensure_ascii=False)
        write(params, splice(text, section, quoted).encode())


def find(node: Node | None, name: str) -> tuple[Node, Node] | tuple[None, None]:
    """Return a key of a YAML mapping and its value."""
    pairs = node.value if isinstance(node, MappingNode) else []
    return next((pair for pair in pairs if pair[0].value == name), (None, None))


def splice(text: str, section: MappingNode, quoted: str) -> str:
    """Put a string in the place of the value of `forget`, or name it before the first key of its section."""
    key, value = find(section, "forget")
    if not key:
        first = section.value[0][0].start_mark
        apart = ", " if section.flow_style else "\n" + " " * first.column
        return f"{text[: first.index]}forget: {quoted}{apart}{text[first.index :]}"
    start, end = value.start_mark.index, value.end_mark.index
    if start == end:  # an empty value is found anywhere up to the next key
        start = end = text.index(":", key.end_mark.index) + 1
        quoted = f" {quoted}"
    after = text[start + len(text[start:end].rstrip()) :]  # a block ends where the next key begins
    return text[:start] + quoted + after


# ---------------------------------------------------------------- removal


def strike(posts: Path, keys: set[str]) -> int:
    """Remove posts from their file, if it is there, and count them."""
    gone = sum(key_of(post) in keys for post in read_posts(posts)) if posts.is_file() else 0
    if gone:
        with whole(posts) as file:
            file.writelines(dumps(post) + b"\n" for post in read_posts(posts) if key_of(post) not in keys)
    return gone


def purge(cache: Path, found: Found) -> int:
    """Remove files of posts, and shards and notes that tell of them, from the cache; count what goes."""
    doomed = [path for md5 in found.md5s for path in (cache / "files" / md5[:2]).glob(f"*{md5}*")]
    named = [path for path in (cache / "names").glob("*/*") if path.suffix != ".part"]
    doomed += [path for path in named if json.loads(path.read_bytes())["md5"] in found.md5s]
    for shelf in ("steps", "laid"):
        doomed += [path for path in (cache / shelf).glob("*/*") if may_hold(path, found.keys)]
    for path in doomed:
        path.unlink()
    return len(doomed)


def may_hold(path: Path, keys: set[str]) -> bool:
    """Tell whether a file of the memo holds one of the keys, or nothing says what it holds."""
    try:
        entry = json.loads(path.with_suffix(".json").read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return True
    held = [line.partition("\t")[0] for line in entry["rows"]]
    return not keys.isdisjoint([*held, *(key for key, *_ in entry["rejects"])])


def lay_down(column: Path, keys: set[str]) -> int:
    """Lay down what changes of a column without the keys; count the samples and rejects that go."""
    staged = column / STAGED
    before, rejected = samples.shards(column), Counter(samples.rejected(column))
    after, left = [trim(shard, staged, keys) for shard in before], recount(column, rejected, keys)
    if (after, left) != (before, rejected):
        staged.mkdir(exist_ok=True)
        (column / samples.CARD).unlink(missing_ok=True)  # it names artists; pack writes another
        samples.seal(staged, after, sum(map(len, after)) + left.total(), left)
    return sum(map(len, before)) + rejected.total() - sum(map(len, after)) - left.total()


def trim(shard: Shard, staged: Path, keys: set[str]) -> Shard:
    """Write a shard without the keys, be it empty: columns stay aligned. Return one without any as it is."""
    if keys.isdisjoint(row.key for row in shard.rows):
        return shard
    return samples.copy(shard, staged / shard.name, lambda key: key not in keys)


def recount(column: Path, rejected: Counter, keys: set[str]) -> Counter:
    """Count the rejects of a column that are not among the keys; their ledger may lie beside the column."""
    ledger = column / samples.LEDGER
    tables = [ledger] if ledger.is_file() else column.parent.glob("*.tsv")
    rows = [row for table in tables for row in read_table(table)]
    stay = [row for row in rows if row[0] not in keys]
    return rejected & Counter(row[1] for row in stay) if len(stay) < len(rows) else rejected


def settle(column: Path) -> None:
    """Let what is laid down in a column take its place, the seal last; what has no seal yet is dropped."""
    staged = column / STAGED
    if (staged / samples.SEAL).is_file():
        for path in sorted(staged.iterdir(), key=lambda path: path.name == samples.SEAL):
            path.replace(column / path.name)
    if staged.is_dir():
        shutil.rmtree(staged)


def prune(table: Path, keys: set[str]) -> int:
    """Remove the rows of keys from a table, and count them."""
    rows = read_table(table)
    stay = [row for row in rows if row[0] not in keys]
    if len(stay) < len(rows):
        text = io.StringIO()
        csv.writer(text, delimiter="\t", lineterminator="\n").writerows(stay)
        write(table, text.getvalue().encode())
    return len(rows) - len(stay)


def read_table(path: Path) -> list[list[str]]:
    """Read a tab-separated table of keys, header first; another table has no rows."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if row]
    return rows if rows and rows[0][0] == "key" else []
