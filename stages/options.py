"""Parameter class -> command-line options, so that a parameter is declared once."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from pipeline.params import Section, describe


def unfold(command: Callable) -> Callable:
    """Replace each argument annotated with a parameter class by one option per field.

    The command gets the class, checked; a value out of bounds is a usage error, exit code 2.
    """
    signature = inspect.signature(command)
    sections = {
        name: given.annotation for name, given in signature.parameters.items() if is_section(given.annotation)
    }

    @functools.wraps(command)
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
    """Make the option of one field."""
    text = (
        f"{field.metadata['help']} ({describe(field)})" if field.type is not str else field.metadata["help"]
    )
    if "names" in field.metadata:
        text = f"{field.metadata['help']} ({describe(field)})"
    annotation = Annotated[
        field.type, typer.Option(f"--{field.name}", help=text, rich_help_panel="Parameters")
    ]
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation
    )
