"""Parameter class -> command-line options, so that a parameter is declared once."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Annotated

import typer

from pipeline.fields import Section, describe


def unfold(command: Callable) -> Callable:
    """Replace each argument annotated with a parameter class by one option per field.

    The command gets the class, checked; a value out of bounds is a usage error, exit code 2.
    """
    signature = inspect.signature(command)
    sections = {
        name: given.annotation for name, given in signature.parameters.items() if is_section(given.annotation)
    }

    @wraps(command)
    def wrapper(**given):
        for name, section in sections.items():
            values = {field.name: given.pop(field.name) for field in dataclasses.fields(section)}
            with usage():
                given[name] = section(**values)
        return command(**given)

    plain = [given for name, given in signature.parameters.items() if name not in sections]
    options = [option(field) for section in sections.values() for field in dataclasses.fields(section)]
    wrapper.__signature__ = signature.replace(parameters=[*map(keyword, plain), *options])
    return wrapper


@contextmanager
def usage() -> Iterator[None]:
    """Turn a ValueError at the door into a usage error: one line, exit code 2."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def is_section(annotation: object) -> bool:
    """Tell a parameter class from other annotations."""
    return isinstance(annotation, type) and issubclass(annotation, Section)


def keyword(given: inspect.Parameter) -> inspect.Parameter:
    """Make a parameter keyword-only, as Typer passes it."""
    return given.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def option(field: dataclasses.Field) -> inspect.Parameter:
    """Make the option of one field; one that may be a range takes any text, for the class to check."""
    rule, kind = field.metadata, type(field.default)
    words = kind is str and "names" not in rule
    text = rule["help"] if words else f"{rule['help']} ({describe(field)})"
    given = {"help": text, "rich_help_panel": "Parameters"}
    if rule.get("range"):
        given |= {"parser": partial(read, kind), "metavar": f"{kind.__name__.upper()}|LOW..HIGH"}
    annotation = Annotated[kind, typer.Option(f"--{field.name}", **given)]
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation
    )


def read(kind: type, text: str) -> float | str:
    """Read a number; leave any other text, such as a range, as it is."""
    try:
        return kind(text)
    except ValueError:
        return text
