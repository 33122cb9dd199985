"""The commands and their options -> docs/commands.md. `make docs` runs this file."""

from collections.abc import Iterable
from pathlib import Path
from textwrap import fill

import typer
from typer.core import TyperCommand
from typer.main import get_group

from pipeline import files
from stages.prep import app

MANUAL = Path(__file__).parent.parent / "docs" / "commands.md"
WIDTH = 110  # columns of the text, whatever the terminal has
HEAD = """\
# Commands

`make docs` writes this page from the commands themselves; `prep COMMAND --help` prints the same text.

"""


def manual() -> str:
    """Return the manual as Markdown: an overview of all commands, then a section for each."""
    group = get_group(app)
    overview = [(f"[`prep {name}`](#prep-{name})", summary(group.commands[name])) for name in group.commands]
    sections = [section(name, command) for name, command in group.commands.items()]
    return HEAD + items(overview) + "".join(sections)


def summary(command: TyperCommand) -> str:
    """Return the first paragraph of a command's help."""
    return command.help.partition("\n\n")[0]


def section(name: str, command: TyperCommand) -> str:
    """Describe one command: summary, usage, details, arguments and options."""
    context = typer.Context(command)
    usage = " ".join(["prep", name, *command.collect_usage_pieces(context)])
    details = command.help.partition("\n\n")[2].replace("\b\n", "")
    blocks = [usage, details] if details else [usage]
    records = [parameter.get_help_record(context) for parameter in command.params]
    return (
        f"\n## prep {name}\n\n{fill(summary(command), WIDTH)}\n\n"
        + "".join(f"```text\n{block}\n```\n\n" for block in blocks)
        + items((f"`{names}`", text) for names, text in records)
    )


def items(entries: Iterable[tuple[str, str]]) -> str:
    """Make a Markdown list of names and their explanations, wrapped."""
    texts = [" ".join(f"{name}: {text}".split()) for name, text in entries]
    wrap = {"initial_indent": "- ", "subsequent_indent": "  ", "break_on_hyphens": False}
    return "".join(fill(text, WIDTH, **wrap) + "\n" for text in texts)


if __name__ == "__main__":
    files.write(MANUAL, manual().encode())
