"""The sitter of a number: everything that decides its picture, and the tags for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from pipeline.booru.artist import choices

SIDE = 512  # short side of a picture, in pixels
FORMATS = ((512, 512), (512, 512), (512, 640), (512, 640), (512, 576), (640, 512))


@dataclass(frozen=True)
class Portrait:
    """Everything that decides a picture; lengths in heads, angles in degrees, words as in choices.py."""

    seed: int  # of irregular details
    width: int  # pixels
    height: int
    framing: str  # portrait or upper_body
    size: float  # of the head, relative to the framing
    shift: float  # of the figure, to the right
    tilt: float  # of the head, clockwise
    turn: float  # of the head, from -1 (left) to 1 (right)
    gaze: float  # of the eyes, from -1 to 1
    pen: float  # width of an ordinary line in pixels
    girl: bool
    skin: str  # '#rrggbb'
    chin: float  # from 0 (round) to 1 (pointed)
    pointy_ears: bool
    mood: str
    eyes: str
    eye_size: float
    eye_color: str
    blush: bool
    mark: str
    hairstyle: str
    bangs: str
    flipped: bool  # asymmetric details are on the left
    volume: float  # of the hair
    ahoge: bool
    hair_color: str
    clothes: str
    clothes_color: str
    trim_color: str
    hat: str
    ornament: str
    accent_color: str  # of hat, bow, scarf and the like
    glasses: str
    earrings: bool
    neckwear: str
    staff: str
    scene: str
    scene_color: str

    @property
    def side(self) -> int:
        """Return the sign of x where asymmetric details are."""
        return -1 if self.flipped else 1

    @property
    def shoulder(self) -> float:
        return 0.55 if self.girl else 0.66


def portrait(number: int) -> Portrait:
    dice = Random(f"sitter {number}")
    girl, framing = chance(dice, 0.75), pick(dice, ("portrait", "upper_body"))
    hairstyle = pick(dice, tuple(choices.HAIRSTYLES) if girl else choices.BOYISH)
    hat = pick(dice, tuple(choices.HATS)[1:]) if "bun" not in hairstyle and chance(dice, 0.35) else ""
    ornament = "" if hat else pick(dice, ("", "", *choices.ORNAMENTS))
    covered = {"": (), "cap": ("parted", "blunt")}.get(hat, ("parted",))
    bangs = pick(dice, [name for name in choices.BANGS if name not in covered])
    moods = [name for name, (_, lids, _) in choices.MOODS.items() if lids != "wink" or bangs != "over_eye"]
    clothes = pick(dice, [name for name in choices.CLOTHES if girl or name not in ("serafuku", "dress")])
    width, height = pick(dice, FORMATS)
    return Portrait(
        seed=number, width=width, height=height, framing=framing, size=between(dice, 0.9, 1.1),
        shift=between(dice, -0.16, 0.16), tilt=between(dice, -11, 11), turn=between(dice, -1, 1),
        gaze=between(dice, -1, 1), pen=between(dice, 1.9, 2.8), flipped=chance(dice, 0.5),
        girl=girl, skin=pick(dice, choices.SKINS), chin=between(dice, 0, 1), mood=pick(dice, moods),
        eyes=pick(dice, ("round", *choices.EYE_SHAPES)), eye_size=between(dice, 0.92, 1.12),
        pointy_ears=chance(dice, 0.12), blush=chance(dice, 0.6 if girl else 0.25),
        mark=pick(dice, ("", "", "", *choices.MARKS)), hairstyle=hairstyle, bangs=bangs,
        volume=between(dice, 0.97, 1.07), ahoge=not hat and ornament != "crown" and chance(dice, 0.3),
        clothes=clothes, hat=hat, ornament=ornament,
        glasses=pick(dice, ("", "", *choices.GLASSES)),
        earrings=hairstyle in choices.EARS_OUT and chance(dice, 0.4),
        neckwear=pick(dice, tuple(choices.NECKWEAR)) if clothes in choices.BARE_NECK else "",
        staff=pick(dice, tuple(choices.STAFFS)[1:]) if framing == "upper_body" and chance(dice, 0.25) else "",
        scene=pick(dice, ("plain", "gradient", *choices.SCENES)), **choose_colors(dice),
    )  # fmt: skip


def recolor(sitter: Portrait, number: int) -> Portrait:
    return replace(sitter, **choose_colors(Random(f"paints {number}"), sitter))


def complicate(sitter: Portrait) -> Portrait:
    """Return the same sitter before dense hatching; almost half of its sketch is black."""
    scene = "crosshatch" if sitter.seed % 2 else "thicket"
    return replace(sitter, scene=scene, framing="upper_body", size=0.66)


def tags(sitter: Portrait) -> list[str]:
    """Return sorted Danbooru tags for everything visible in the picture, and for nothing else."""
    p, sex = sitter, "female" if sitter.girl else "male"
    brows, lids, mouth = choices.MOODS[p.mood]
    words = [
        "solo", p.framing, "{hair}_hair", choices.LIDS[lids], choices.MOUTHS[mouth], choices.MARKS[p.mark],
        choices.GLASSES[p.glasses], choices.HAIRSTYLES[p.hairstyle], choices.BANGS[p.bangs],
        choices.HATS[p.hat], choices.ORNAMENTS[p.ornament], choices.CLOTHES[p.clothes],
        choices.NECKWEAR[p.neckwear], choices.STAFFS[p.staff],
        (choices.SCENES | choices.BUSY_SCENES)[p.scene],
    ]  # fmt: skip
    if_visible = {
        "1girl": p.girl, "1boy male_focus": not p.girl, "blush": p.blush, "ahoge": p.ahoge,
        f"dark_skin dark-skinned_{sex}": p.skin in choices.DARK_SKINS,
        choices.EYE_SHAPES[p.eyes]: lids == "open", "v-shaped_eyebrows": brows == "angry",
        "pointy_ears": p.pointy_ears, "earrings jewelry": p.earrings,
        "collarbone": p.clothes == "dress" and p.neckwear != "scarf",
    }  # fmt: skip
    words += [word for word, visible in if_visible.items() if visible]
    colors = {field.removesuffix("_color"): getattr(p, field) for field in choices.PALETTES}
    return sorted(set(" ".join(words).format(**colors).split()))


def choose_colors(dice: Random, old: Portrait | None = None) -> dict[str, Any]:
    """Draw every color but the skin's, each unlike the old one; trim and accent differ from the clothes."""
    colors: dict[str, str] = {}
    for field, palette in choices.PALETTES.items():
        taken = {getattr(old, field, None)}
        if field in ("trim_color", "accent_color"):
            taken.add(colors["clothes_color"])
        colors[field] = pick(dice, [name for name in palette if name not in taken])
    return colors


def pick(dice: Random, options: Sequence) -> Any:
    return options[int(dice.random() * len(options))]


def between(dice: Random, low: float, high: float) -> float:
    return round(low + (high - low) * dice.random(), 4)


def chance(dice: Random, share: float) -> bool:
    return dice.random() < share
