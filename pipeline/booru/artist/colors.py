"""Colors: uint8 RGB triples, and how light and shadow change them."""

Color = tuple[int, int, int]


def rgb(code: str) -> Color:
    """Read a color like '#3a7bd5'."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


LINE, WHITE, IVORY = rgb("#2c1e2a"), rgb("#ffffff"), rgb("#f7efdf")
GOLD, WOOD, LIP = rgb("#e9bf4f"), rgb("#8a6242"), rgb("#a8434a")


def mix(first: Color, second: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def shade(color: Color, depth: float = 1.0) -> Color:
    """Darken a color as a cool shadow does: red and green fall more than blue."""
    red, green, blue = (round(c * (1 - depth * f)) for c, f in zip(color, (0.27, 0.33, 0.22), strict=True))
    return red, green, blue


def tint(color: Color, share: float = 0.35) -> Color:
    return mix(color, (255, 250, 240), share)
