"""Parameter class -> command-line options, so that a parameter is declared once."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Annotated, Any

import typer

from pipeline.fields import Section, describe_rule


def unfold(command: Callable) -> Callable:
    """Replace each argument annotated with a dataclass by one option per field.

    A parameter class is checked: a value out of bounds is a usage error, exit code 2. The fields of any other
    dataclass, such as `arguments.Run`, are annotated with their Typer options.
    """
    signature = inspect.signature(command)
    classes: dict[str, Any] = {
        name: given.annotation
        for name, given in signature.parameters.items()
        if dataclasses.is_dataclass(given.annotation)
    }

    @wraps(command)
    def wrapper(**given: Any) -> None:
        for name, folded in classes.items():
            values = {field.name: given.pop(field.name) for field in dataclasses.fields(folded)}
            with usage_errors():
                given[name] = folded(**values)
        command(**given)

    plain = [keyword(given) for name, given in signature.parameters.items() if name not in classes]
    fields = [(folded, field) for folded in classes.values() for field in dataclasses.fields(folded)]
    plain += [run_option(field) for folded, field in fields if not issubclass(folded, Section)]
    options = [option(field) for folded, field in fields if issubclass(folded, Section)]
    unfolded = signature.replace(parameters=[*plain, *options])
    wrapper.__signature__ = unfolded  # type: ignore[attr-defined]
    return wrapper


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn a ValueError into a usage error: one line, exit code 2."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def keyword(given: inspect.Parameter) -> inspect.Parameter:
    """Make a parameter keyword-only, as Typer passes it."""
    return given.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def run_option(field: dataclasses.Field) -> inspect.Parameter:
    """Make the option of one field that is annotated with it."""
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type
    )


def option(field: dataclasses.Field) -> inspect.Parameter:
    """Make the option of one parameter; one that may be a range takes any text, and its class checks it."""
    rule = field.metadata
    kind: Any = type(field.default)
    words = kind is str and "names" not in rule
    text = rule["help"] if words else f"{rule['help']} ({describe_rule(field)})"
    given = {"help": text, "rich_help_panel": "Parameters"}
    if rule.get("range"):
        given |= {"parser": partial(read_number, kind), "metavar": f"{kind.__name__.upper()}|LOW..HIGH"}
    annotation = Annotated[kind, typer.Option(f"--{field.name}", **given)]
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation
    )


def read_number(kind: type[int] | type[float], text: str) -> float | str:
    """Read a number; return any other text, such as a range, as it is."""
    try:
        return kind(text)
    except ValueError:
        return text
