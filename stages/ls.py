"""Columns -> their contents, read from the indexes."""

from pipeline.errors import Halt
from pipeline.shards.column import SEAL, list_shards
from pipeline.upkeep import verify
from stages.arguments import DATA, Columns, say


def ls(folder: Columns = DATA) -> None:
    """List the samples of a column, or the columns in a folder, without opening a shard."""
    if (folder / SEAL).is_file():
        for shard in list_shards(folder):
            for row in shard.rows:
                sizes = "  ".join(f"{suffix} {size}" for suffix, size in row.sizes.items())
                say(f"{row.key}  {shard.name}  {sizes}")
        return
    for column in verify.require_columns(folder):
        try:
            shards = list_shards(column)
        except Halt as fault:
            say(f"{column}  {fault}")
            continue
        size = sum(shard.bytes for shard in shards) / 1e6
        say(f"{column}  {sum(map(len, shards))} samples  {len(shards)} shards  {size:.1f} MB")
