"""Dataclasses -> command-line options, so that a parameter is declared once."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from inspect import Parameter, signature
from typing import Annotated, Any, TypeVar

import typer

from pipeline.fields import Section, describe_rule
from stages.arguments import say

Parsed = TypeVar("Parsed", bound=Section)


def unfold(command: Callable) -> Callable:
    """Replace each argument annotated with a dataclass by one option per field.

    The fields of a parameter class carry their rule: a value out of bounds is a usage error, exit code 2. The
    fields of any other dataclass, such as `column.Run`, are annotated with their Typer options.
    """
    declared = signature(command)
    types = {name: given.annotation for name, given in declared.parameters.items()}
    classes: dict[str, Any] = {name: kind for name, kind in types.items() if dataclasses.is_dataclass(kind)}

    @wraps(command)
    def wrapper(**given: Any) -> None:
        for name, unfolded in classes.items():
            values = {field.name: given.pop(field.name) for field in dataclasses.fields(unfolded)}
            with usage_errors():
                given[name] = unfolded(**values)
            if unread := unread_fields(given[name]):
                doubt = f"the method {given[name].method} does not read {', '.join(unread)}"
                say(f"{command.__name__}: {doubt}", err=True)
        command(**given)

    plain = [given for name, given in declared.parameters.items() if name not in classes]
    options = [option(field) for unfolded in classes.values() for field in dataclasses.fields(unfolded)]
    keywords = [given.replace(kind=Parameter.KEYWORD_ONLY) for given in (*plain, *options)]
    wrapper.__signature__ = declared.replace(parameters=keywords)  # type: ignore[attr-defined]
    return wrapper


def unread_fields(params: Any) -> list[str]:
    """Name the parameters that are set, but that the help gives to other methods than the chosen one."""
    fields = {field.name: field for field in dataclasses.fields(params) if field.metadata}
    if "method" not in fields:
        return []
    known = set(fields["method"].metadata["names"])
    unread = []
    for name, field in fields.items():
        readers = set(field.metadata["help"].partition(":")[0].split(", "))
        if readers <= known - {params.method} and getattr(params, name) != field.default:
            unread.append(name)
    return unread


def parse_section(kind: type[Parsed], given: Any) -> Parsed:
    """Make parameters of a section of params.yaml. Raise ValueError if it has others, or a value is wrong."""
    names = [field.name for field in dataclasses.fields(kind)]
    given = given or {}
    if not isinstance(given, dict) or not set(names).issuperset(given):
        rule = f"must be some of {', '.join(names)}"
        raise ValueError(f"the parameters of {kind.__name__.lower()} {rule}, got {given}")
    return kind(**given)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn a ValueError into a usage error: one line, exit code 2."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def option(field: dataclasses.Field) -> Parameter:
    """Make the option of one field: as its rule says, or as it is annotated."""
    annotation = rule_option(field) if field.metadata else field.type
    return Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation)


def rule_option(field: dataclasses.Field) -> Any:
    """Make the Typer option of a parameter; a range passes as text, and the class checks it."""
    rule = field.metadata
    kind: Any = type(field.default)
    is_text = kind is str and "names" not in rule
    text = rule["help"] if is_text else f"{rule['help']} ({describe_rule(field)})"
    given: dict[str, Any] = {"help": text, "rich_help_panel": "Parameters"}
    if rule.get("range"):
        given |= {"parser": partial(read_number, kind), "metavar": f"{kind.__name__.upper()}|LOW..HIGH"}
    return Annotated[kind, typer.Option(f"--{field.name}", **given)]


def read_number(kind: type[int] | type[float], text: str) -> float | str:
    """Read a number; return any other text, such as a range, unchanged."""
    try:
        return kind(text)
    except ValueError:
        return text
