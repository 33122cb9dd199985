"""The limits of clean: from the scores of a picture to the reason for rejecting it.

No pixel is read here: after a change of a limit the stored scores are judged again, and nothing is decoded.
"""

from dataclasses import dataclass

from pipeline.params import Clean


@dataclass(frozen=True)
class Rule:
    """A bound on a score: its value must be at least (`least`), or else at most, the parameter `limit`."""

    reason: str
    limit: str
    least: bool
    score: str


@dataclass(frozen=True)
class Verdict:
    """The score of one picture and the limit that a rule sets to it."""

    rule: Rule
    value: float
    limit: float

    @property
    def fine(self) -> bool:
        """Whether the picture passes; a score equal to the limit does."""
        return self.value >= self.limit if self.rule.least else self.value <= self.limit


RULES = (  # the first rule that a picture breaks is the reason for rejecting it
    Rule("too small", "smallest", True, "shorter side"),
    Rule("odd aspect", "aspect", False, "aspect"),
    Rule("blank", "blank", False, "blank"),
    Rule("gray", "gray", True, "gray"),
    Rule("monochrome", "monochrome", True, "monochrome"),
    Rule("dull", "colorfulness", True, "colorfulness"),
    Rule("pale", "saturation", True, "saturation"),
    Rule("bordered", "borders", False, "borders"),
    Rule("text", "text", False, "text"),
    Rule("blurred", "blur", False, "blur"),
    Rule("too complex", "complexity", False, "complexity"),
    Rule("too plain", "plain", True, "complexity"),
)


def check_limits(metadata: dict, params: Clean) -> list[Verdict]:
    """Compare the scores in the metadata of a picture with every limit."""
    sides = metadata["width"], metadata["height"]
    scores = metadata | {
        "shorter side": min(sides),
        "aspect": round(max(sides) / min(sides), 4),
        "complexity": metadata[f"complexity{params.blocksize}"],
    }
    return [Verdict(rule, scores[rule.score], getattr(params, rule.limit)) for rule in RULES]


def rejection_reason(metadata: dict, params: Clean) -> str:
    """Return the reason for rejecting a picture with these scores, or an empty string."""
    return next((verdict.rule.reason for verdict in check_limits(metadata, params) if not verdict.fine), "")
