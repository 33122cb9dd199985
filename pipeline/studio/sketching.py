"""One picture as a sketch, by any method and parameters.

POST /api/sketch takes the parameters as JSON in its address, and the picture by column and key there, or as
its body. The answer is the PNG that `prep sketchify` writes; a header tells the complexity and drawn numbers.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.errors import Halt
from pipeline.fields import parse_range, parse_section
from pipeline.images import codec, pixels
from pipeline.images.png import encode_png
from pipeline.operators.lines import CANON_SIDE
from pipeline.operators.sketch import PRESETS, make_sketch
from pipeline.params import Sketch
from pipeline.studio.editing import clean_params
from pipeline.studio.safety import answer_json
from pipeline.studio.state import Studio

MOST_DRAWN = 25 * 10**6  # pixels of a picture; an XDoG takes 20 bytes for each
DRAWN_AT_ONCE = 2  # pictures to draw
FACTS = "X-Inkwash-Sketch"  # a header with JSON
COLOR = "color.png"  # the member of a packed sample to draw; elsewhere it is the first picture
OWN_SKETCHES = ("sketch", "sketch-own")  # members with the artist's own, of clean and of pack
KEY_OF_BODY = "picture"


@dataclass(frozen=True)
class Picture:
    """An encoded picture, the key that decides what chance decides, and the artist's own sketch if known."""

    data: bytes
    key: str
    sketch: bytes | None = None


def sketch_routes(studio: Studio) -> list[Route]:
    turns = CapacityLimiter(DRAWN_AT_ONCE)

    async def describe(request: Request) -> Response:
        return answer_json(describe_sketches(await studio.run(studio.read_params)))

    async def draw(request: Request) -> Response:
        given, body = dict(request.query_params), await request.body()
        png, facts = await to_thread.run_sync(draw_request, studio, given, body, limiter=turns)
        return Response(png, media_type="image/png", headers={FACTS: json.dumps(facts)})

    return [Route("/api/sketch", describe), Route("/api/sketch", draw, methods=["POST"])]


def describe_sketches(params: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the controls, the presets, the entries of params.yaml, and the squares that `clean` makes."""
    clean = clean_params(params.get("clean"))
    return {
        "controls": list_controls(),
        "presets": PRESETS,
        "entries": [describe_entry(name, given) for name, given in sketches_of(params).items()],
        "side": clean.side,
    }


def sketches_of(params: Mapping[str, Any]) -> Mapping[str, Any]:
    found = params.get("sketches")
    return found if isinstance(found, Mapping) else {}


def list_controls() -> list[dict[str, Any]]:
    """Describe each parameter of a sketch that has a rule: name, help, default, kind, and bounds or names.

    `methods` are those that read it; the pen reads the others. An end of its bounds may be None.
    """
    controls = []
    for field in fields(Sketch):
        rule = field.metadata
        if "names" not in rule and "low" not in rule:
            continue
        methods = list(rule.get("methods", ()))
        text = rule["help"].removeprefix(f"{', '.join(methods)}: ")
        control = {"name": field.name, "help": text[0].upper() + text[1:], "default": field.default}
        if "names" in rule:
            control |= {"kind": "choice", "names": list(rule["names"])}
        else:
            bounds = {end: None if abs(rule[end]) == float("inf") else rule[end] for end in ("low", "high")}
            kind = "integer" if isinstance(field.default, int) else "number"
            control |= {"kind": kind, "odd": rule["odd"], "range": bool(rule.get("range"))} | bounds
        controls.append(control | {"methods": methods})
    return controls


def describe_entry(name: str, given: Any) -> dict[str, Any]:
    """Describe an entry of `sketches`: all its parameters, or the fault for which it cannot be read."""
    try:
        return {"name": name, "sketch": asdict(parse_section(Sketch, given))}
    except ValueError as error:
        return {"name": name, "fault": f"params.yaml, sketch {name}: {error}"}


def draw_request(studio: Studio, given: Mapping[str, str], body: bytes) -> tuple[bytes, dict[str, Any]]:
    """Draw what a request asks for. Raise HTTPException, Halt or BadImage."""
    params = studio.read_params()
    sketch = find_weights(studio, parse_sketch(given.get("sketch", "")), params)
    if not body:
        return draw_picture(read_picture(studio, given.get("column", ""), given.get("key", "")), sketch)
    check_size(body)
    clean = clean_params(params.get("clean"))
    fitted = fit_picture(body, clean.side, clean.crop) if given.get("square") else body
    return draw_picture(Picture(fitted, given.get("key") or KEY_OF_BODY), sketch)


def parse_sketch(text: str) -> Sketch:
    """Read the parameters of a sketch. Raise HTTPException if they are no JSON, or if a value is wrong."""
    try:
        given = json.loads(text)
        if not isinstance(given, dict):
            raise ValueError("the parameters must be names and values")
        return parse_section(Sketch, given)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, str(error)) from None


def find_weights(studio: Studio, sketch: Sketch, params: Mapping[str, Any]) -> Sketch:
    """Return a sketch whose path of weights begins at the project.

    Only weights that params.yaml names are read. Raise HTTPException for others.
    """
    if sketch.method != "learned":
        return sketch
    known = [given.get("weights") for given in sketches_of(params).values() if isinstance(given, Mapping)]
    if sketch.weights not in known:
        raise HTTPException(400, "the weights must be those of an entry of params.yaml: add one there first")
    return replace(sketch, weights=str(studio.home / sketch.weights))


def read_picture(studio: Studio, column: str, key: str) -> Picture:
    """Read a picture of a column, with the artist's own sketch if it came with one."""
    _, sample = studio.columns.sample(column, key)
    data = sample.members.get(COLOR) or sample.picture
    check_size(data)
    own = [data for suffix, data in sample.members.items() if suffix.split(".")[0] in OWN_SKETCHES]
    return Picture(data, key, own[0] if own else None)


def check_size(data: bytes) -> None:
    """Raise Halt if a picture is too large to draw, by its header alone, and BadImage if it is none."""
    width, height = codec.read_size(data)
    if width * height > MOST_DRAWN:
        size = f"{width:,} x {height:,} pixels"
        raise Halt(f"the picture has {size}, and a sketch here {MOST_DRAWN:,} at most: take a smaller one")


@lru_cache(maxsize=1)
def fit_picture(data: bytes, side: int, crop: str) -> bytes:
    """Crop and resize a picture to the square that `make_color` makes of it, as PNG. Raise BadImage."""
    image = codec.decode(data, least=max(side, CANON_SIDE))
    return encode_png(pixels.square(image, side, crop))


def draw_picture(picture: Picture, sketch: Sketch) -> tuple[bytes, dict[str, Any]]:
    """Draw a sketch as PNG, and tell its complexity and the numbers drawn from ranges."""
    result = make_sketch(picture.data, picture.key, sketch, picture.sketch)
    values = [(field, getattr(sketch, field.name)) for field in fields(sketch)]
    ranged = [field.name for field, value in values if isinstance(value, str) and parse_range(field, value)]
    drawn = {name: result.metadata[name] for name in ranged}
    height, width = result.picture.shape
    facts = {"complexity": result.metadata["complexity"], "drawn": drawn, "width": width, "height": height}
    return encode_png(result.picture), facts
