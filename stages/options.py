"""Dataclasses -> command-line options, so that a parameter is declared once.

A parameter that is not on the line comes from params.yaml, or else has its default.
"""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.fields import Section, describe_rule, parse_section, read_number
from pipeline.params import Sketch
from stages.arguments import ParamsFile, find_params, read_params, say

Entry = Annotated[
    str | None,
    typer.Option(
        help="The entry of `sketches` in that file to take parameters from.",
        show_default="the name of DEST, if there is one of that name",
    ),
]


def unfold(command: Callable) -> Callable:
    """Replace each argument annotated with a dataclass by one option per field.

    The fields of a parameter class carry their rule: a value out of bounds is a usage error, exit code 2.
    Such a class adds the option --params: the file with the values that are not on the line. The fields of
    any other dataclass, such as `column.Run`, are annotated with their Typer options.
    """
    declared = signature(command)
    types = {name: given.annotation for name, given in declared.parameters.items()}
    classes: dict[str, Any] = {name: kind for name, kind in types.items() if dataclasses.is_dataclass(kind)}
    sections = {name: kind for name, kind in classes.items() if issubclass(kind, Section)}
    added = file_options(sections)

    @wraps(command)
    def wrapper(context: typer.Context, **given: Any) -> None:
        line = [name for name in given if is_on_line(context, name)]
        with usage_errors():
            given |= values_of_file(command.__name__, sections, given, line)
        for name, unfolded in classes.items():
            values = {field.name: given.pop(field.name) for field in dataclasses.fields(unfolded)}
            with usage_errors():
                given[name] = unfolded(**values)
            if unread := unread_fields(given[name]):
                doubt = f"the method {given[name].method} does not read {', '.join(unread)}"
                say(f"{command.__name__}: {doubt}", err=True)
        command(**{name: given[name] for name in types})

    plain = [given for name, given in declared.parameters.items() if name not in classes]
    options = [option(field) for unfolded in classes.values() for field in dataclasses.fields(unfolded)]
    options += [added[name] for name in added if name not in types]
    context = Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    keywords = [given.replace(kind=Parameter.KEYWORD_ONLY) for given in (context, *plain, *options)]
    wrapper.__signature__ = declared.replace(parameters=keywords)  # type: ignore[attr-defined]
    return wrapper


def file_options(sections: dict[str, Any]) -> dict[str, Parameter]:
    """Make the options about the file of parameters that a command with these parameter classes has."""
    types = {"params": ParamsFile} if sections else {}
    types |= {"entry": Entry} if Sketch in sections.values() else {}
    return {
        name: Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in types.items()
    }


def is_on_line(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT")


def values_of_file(
    command: str, sections: dict[str, Any], given: dict[str, Any], line: list[str]
) -> dict[str, Any]:
    """Return the parameters that the file has and the line does not, and say where they are from.

    Raise Halt if the file cannot be read, and ValueError if a parameter of this command is wrong in it.
    """
    names = {field.name for kind in sections.values() for field in dataclasses.fields(kind)}
    path = find_params(given.get("params"))
    if path is None or names.issubset(line):
        return {}
    taken: dict[str, Any] = {}
    settings, origin = read_params(path), str(path)
    for kind in sections.values():
        name, values = kind.__name__.lower(), settings.get(kind.__name__.lower())
        if kind is Sketch:
            sketches = settings.get("sketches", {})
            name = find_entry(command, path, sketches, given)
            values, origin = sketches.get(name), f"{path} ({name})"
        try:
            parsed = parse_section(kind, values)
        except ValueError as error:
            raise ValueError(f"{path}, section {name}: {error}") from None
        taken |= {field: getattr(parsed, field) for field in values or {} if field not in line}
    if taken:
        listed = ", ".join(name for name in line if name in names)
        wins = f", {listed} from the line" if listed else ""
        say(f"{command}: parameters from {origin}{wins}", err=True)
    return taken


def find_entry(command: str, path: Path, sketches: dict[str, Any], given: dict[str, Any]) -> str:
    """Return the entry of `sketches` that is asked for, or that has the name of the folder to write.

    Without one the defaults stand, and a line says so. Raise ValueError if the one asked for is missing.
    """
    name, known = given["entry"] or given["dest"].name, ", ".join(sketches) or "none"
    if given["entry"] and name not in sketches:
        raise ValueError(f"entry must be one of the sketches of {path} ({known}), got {name!r}")
    if sketches and name not in sketches:
        say(f"{command}: {path} has no sketch {name}, so the defaults stand (--entry: {known})", err=True)
    return name


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
