"""Scores of a picture -> the reason why it has no place in the dataset, or none.

No pixel is looked at here: after a change of a limit the stored scores are judged again, and nothing is
decoded.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import BadImage
from pipeline.images.result import Result
from pipeline.operators.clean import PixelParams, measure_original
from pipeline.params import Clean


@dataclass(frozen=True)
class Rule:
    """A bound on one score: its value must be at least, or at most, the parameter `limit`."""

    reason: str
    limit: str
    least: bool
    score: Callable[[dict, Clean], float]


@dataclass(frozen=True)
class Verdict:
    """A score of one picture beside the limit of its rule."""

    rule: Rule
    value: float
    limit: float

    @property
    def fine(self) -> bool:
        """Whether the picture passes; a score on the limit does."""
        return self.value >= self.limit if self.rule.least else self.value <= self.limit


def stored_score(name: str) -> Callable[[dict, Clean], float]:
    """Return the function that reads the score of this name."""
    return lambda metadata, params: metadata[name]


def shorter_side(metadata: dict, params: Clean) -> float:
    """Return the shorter side of the original, in pixels."""
    return min(metadata["width"], metadata["height"])


def aspect_ratio(metadata: dict, params: Clean) -> float:
    """Return the long side of the original over the short one."""
    sides = metadata["width"], metadata["height"]
    return round(max(sides) / min(sides), 4)


def complexity_score(metadata: dict, params: Clean) -> float:
    """Return the complexity of the sketch at `params.blocksize`, in percent."""
    return metadata[f"complexity{params.blocksize}"]


RULES = (  # the first rule that a picture breaks gives the reason
    Rule("too small", "smallest", True, shorter_side),
    Rule("odd aspect", "aspect", False, aspect_ratio),
    Rule("blank", "blank", False, stored_score("blank")),
    Rule("gray", "gray", True, stored_score("gray")),
    Rule("monochrome", "monochrome", True, stored_score("monochrome")),
    Rule("dull", "colorfulness", True, stored_score("colorfulness")),
    Rule("pale", "saturation", True, stored_score("saturation")),
    Rule("bordered", "borders", False, stored_score("borders")),
    Rule("text", "text", False, stored_score("text")),
    Rule("blurred", "blur", False, stored_score("blur")),
    Rule("too complex", "complexity", False, complexity_score),
    Rule("too plain", "plain", True, complexity_score),
)


def check_limits(metadata: dict, params: Clean) -> list[Verdict]:
    """Compare the scores of a picture with every rule."""
    return [Verdict(rule, rule.score(metadata, params), getattr(params, rule.limit)) for rule in RULES]


def rejection_reason(metadata: dict, params: Clean) -> str:
    """Return the reason to reject a picture with these scores, or an empty text."""
    return next((verdict.rule.reason for verdict in check_limits(metadata, params) if not verdict.fine), "")


def judge_original(picture: bytes, params: Clean, sketch: bytes | None = None) -> Result:
    """Crop, resize and score an original. Raise BadImage with the reason to reject it."""
    result = measure_original(picture, PixelParams.of(params), sketch)
    if reason := rejection_reason(result.metadata, params):
        raise BadImage(reason)
    return result
