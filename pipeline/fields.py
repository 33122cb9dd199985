"""Parameters as fields of a class: how to declare one, and the rule that its values must follow."""

import dataclasses
import math
from typing import Annotated, Any, TypeVar

# A number, or text such as "3..9": then `operators.sketch.resolve` draws a number for each picture.
# Type checkers see the number, since no code computes with such a field before it is resolved.
IntRange = Annotated[int, "or a range LOW..HIGH"]
FloatRange = Annotated[float, "or a range LOW..HIGH"]


def number(
    default: float, text: str, low: float = -math.inf, high: float = math.inf, odd: bool = False
) -> Any:
    """Declare a finite number in [low, high]; an integer where the default is one."""
    return dataclasses.field(default=default, metadata={"help": text, "low": low, "high": high, "odd": odd})


def ranged(
    default: float,
    text: str,
    low: float = -math.inf,
    high: float = math.inf,
    odd: bool = False,
    methods: tuple[str, ...] = (),
) -> Any:
    """Declare a number in [low, high], or a range within these bounds.

    `methods` are the methods of drawing that read it, if not all do.
    """
    help_text = f"{', '.join(methods)}: {text}" if methods else text
    rule = {"help": help_text, "low": low, "high": high, "odd": odd, "range": True, "methods": methods}
    return dataclasses.field(default=default, metadata=rule)


def choice(text: str, *names: str) -> Any:
    """Declare one of several names; the first is the default."""
    return dataclasses.field(default=names[0], metadata={"help": text, "names": names})


def words(default: str, text: str) -> Any:
    """Declare free text."""
    return dataclasses.field(default=default, metadata={"help": text})


def parse_range(field: dataclasses.Field, text: str) -> tuple[float, float] | None:
    """Read the ends of a range such as ".8..1.2"; None for other text, or if `field` allows no range."""
    low, dots, high = text.partition("..")
    kind: Any = type(field.default)
    try:
        return (kind(low), kind(high)) if dots and field.metadata.get("range") else None
    except ValueError:  # not a number, or a fraction where the field is an integer
        return None


@dataclasses.dataclass(frozen=True)
class Section:
    """A parameter class: raises ValueError if the value of a field breaks its rule."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_field(field, getattr(self, field.name))


Parsed = TypeVar("Parsed", bound=Section)


def parse_section(kind: type[Parsed], given: Any) -> Parsed:
    """Make parameters of a section of params.yaml, the same as the command line makes of what DVC passes.

    A parameter without a value has its default. Raise ValueError if there are others, or a value is wrong.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    given = given or {}
    if not isinstance(given, dict) or not fields.keys() >= given.keys():
        rule = f"must be some of {', '.join(fields)}"
        raise ValueError(f"the parameters of {kind.__name__.lower()} {rule}, got {given}")
    return kind(
        **{name: read_value(fields[name], value) for name, value in given.items() if value is not None}
    )


def read_value(field: dataclasses.Field, value: Any) -> Any:
    """Read a value of a YAML file, which may be a day or a number where the parameter is a text."""
    kind: Any = type(field.default)
    return str(value) if kind is str else read_number(kind, str(value))


def read_number(kind: type[int] | type[float], text: str) -> float | str:
    """Read a number; return any other text, such as a range, unchanged."""
    try:
        return kind(text)
    except ValueError:
        return text


def check_field(field: dataclasses.Field, value: Any) -> None:
    """Raise ValueError if `value`, a number, text or range, breaks the rule of `field`."""
    span = parse_range(field, value) if isinstance(value, str) else None
    kind: Any = type(field.default)
    kinds = (int, float) if kind is float else (kind,)
    low, high = span or (value, value)
    if not all(type(end) in kinds and is_allowed(field, end) for end in (low, high)) or low > high:
        raise ValueError(f"{field.name} must be {describe_rule(field)}, got {value!r}")


def is_allowed(field: dataclasses.Field, value: Any) -> bool:
    """Tell whether a value of the right type is among the names or within the bounds of its field."""
    rule = field.metadata
    if "names" in rule:
        return value in rule["names"]
    if "low" not in rule:
        return True
    even = rule["odd"] and value % 2 == 0
    return math.isfinite(value) and rule["low"] <= value <= rule["high"] and not even


def describe_rule(field: dataclasses.Field) -> str:
    """Say the rule of a field in words."""
    rule = field.metadata
    if "names" in rule:
        return "one of " + ", ".join(rule["names"])
    if "low" not in rule:
        return "text"
    return describe_bounds(field) + (", or a range LOW..HIGH" if rule.get("range") else "")


def describe_bounds(field: dataclasses.Field) -> str:
    """Say in words which numbers a field allows."""
    low, high, odd = (field.metadata[name] for name in ("low", "high", "odd"))
    kind = {int: "an odd integer" if odd else "an integer", float: "a number"}[type(field.default)]
    if math.isfinite(low) and math.isfinite(high):
        return f"{kind} from {low:g} to {high:g}"
    if math.isfinite(low):
        return f"{kind} of at least {low:g}"
    return f"{kind} of at most {high:g}" if math.isfinite(high) else kind
