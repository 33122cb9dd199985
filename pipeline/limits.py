"""Scores of a picture -> the reason why it has no place in the dataset, or none.

No pixel is looked at here: after a change of a limit the stored scores are judged again, and nothing is
decoded.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.clean import Take, measure
from pipeline.images.codec import BadImage
from pipeline.images.result import Result
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


def stored(name: str) -> Callable[[dict, Clean], float]:
    """Return the function that reads the score of this name."""
    return lambda metadata, params: metadata[name]


def shorter_side(metadata: dict, params: Clean) -> float:
    """Return the shorter side of the original, in pixels."""
    return min(metadata["width"], metadata["height"])


def aspect(metadata: dict, params: Clean) -> float:
    """Return the long side of the original over the short one."""
    sides = metadata["width"], metadata["height"]
    return round(max(sides) / min(sides), 4)


def complexity(metadata: dict, params: Clean) -> float:
    """Return the complexity of the sketch at `params.blocksize`, in percent."""
    return metadata[f"complexity{params.blocksize}"]


RULES = (  # the first rule that a picture breaks gives the reason
    Rule("too small", "smallest", True, shorter_side),
    Rule("odd aspect", "aspect", False, aspect),
    Rule("blank", "blank", False, stored("blank")),
    Rule("gray", "gray", True, stored("gray")),
    Rule("monochrome", "monochrome", True, stored("monochrome")),
    Rule("dull", "colorfulness", True, stored("colorfulness")),
    Rule("pale", "saturation", True, stored("saturation")),
    Rule("bordered", "borders", False, stored("borders")),
    Rule("text", "text", False, stored("text")),
    Rule("blurred", "blur", False, stored("blur")),
    Rule("too complex", "complexity", False, complexity),
    Rule("too plain", "plain", True, complexity),
)


def verdicts(metadata: dict, params: Clean) -> list[Verdict]:
    """Compare the scores of a picture with every rule."""
    return [Verdict(rule, rule.score(metadata, params), getattr(params, rule.limit)) for rule in RULES]


def judge(metadata: dict, params: Clean) -> str:
    """Return the reason to reject a picture with these scores, or an empty text."""
    return next((verdict.rule.reason for verdict in verdicts(metadata, params) if not verdict.fine), "")


def admit(picture: bytes, params: Clean, sketch: bytes | None = None) -> Result:
    """Crop, resize and score an original. Raise BadImage with the reason to reject it."""
    result = measure(picture, Take.of(params), sketch)
    if reason := judge(result.metadata, params):
        raise BadImage(reason)
    return result
