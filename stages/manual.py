"""The commands and their options -> docs/commands.md; `make docs` runs this file."""

from pathlib import Path
from textwrap import TextWrapper, fill
from typing import cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from pipeline import files
from stages.prep import app

MANUAL = Path(__file__).parent.parent / "docs" / "commands.md"
WIDTH = 110  # characters in a line, whatever the terminal has
HEAD = """\
# Commands

`make docs` writes this page from the commands themselves; `prep COMMAND --help` prints the same text.

"""


def manual() -> str:
    """Return the manual as Markdown: overview, common options, a section for each command."""
    group = cast(TyperGroup, get_command(app))
    commands = cast(dict[str, TyperCommand], group.commands)
    overview = [(f"[`prep {name}`](#prep-{name})", parts(command)[0]) for name, command in commands.items()]
    sections = [section(name, command) for name, command in commands.items()]
    return HEAD + items(overview) + "\n## Options of prep itself\n\n" + options(group) + "".join(sections)


def parts(command: TyperCommand) -> tuple[str, str]:
    """Return the first paragraph of a command's help, and the rest."""
    summary, _, details = (command.help or "").partition("\n\n")
    return summary, details.replace("\b\n", "")


def section(name: str, command: TyperCommand) -> str:
    """Describe one command: summary, usage, details, arguments and options."""
    summary, details = parts(command)
    usage = " ".join(["prep", name, *command.collect_usage_pieces(typer.Context(command))])
    blocks = [usage, details] if details else [usage]
    text = "".join(f"```text\n{block}\n```\n\n" for block in blocks)
    return f"\n## prep {name}\n\n{fill(summary, WIDTH)}\n\n{text}{options(command)}"


def options(command: TyperCommand | TyperGroup) -> str:
    """List the arguments and options of a command, except hidden ones."""
    context = typer.Context(command)
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    return items([(f"`{names}`", text) for names, text in records])


def items(entries: list[tuple[str, str]]) -> str:
    """Make a Markdown list of names and their explanations, wrapped."""
    texts = [" ".join(f"{name}: {text}".split()) for name, text in entries]
    wrap = TextWrapper(WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    return "".join(wrap.fill(text) + "\n" for text in texts)


if __name__ == "__main__":
    files.write(MANUAL, manual().encode())
