"""The sitter of a number: everything that decides its picture, and the tags of what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from pipeline.booru.artist.choices import (
    BANGS,
    BARE_NECK,
    BOYISH,
    BUSY_SCENES,
    CLOTHES,
    DARK_SKINS,
    EARS_OUT,
    EYE_SHAPES,
    GLASSES,
    HAIRSTYLES,
    HATS,
    LIDS,
    MARKS,
    MOODS,
    MOUTHS,
    NECKWEAR,
    ORNAMENTS,
    PALETTES,
    SCENES,
    SKINS,
    STAFFS,
)

SIDE = 512  # short side of a picture, in pixels
FORMATS = ((512, 512), (512, 512), (512, 640), (512, 640), (512, 576), (640, 512))


@dataclass(frozen=True)
class Portrait:
    """Everything that decides a picture; lengths in heads, angles in degrees, words as in choices.py."""

    seed: int  # the irregularities of the hand
    width: int  # pixels
    height: int
    framing: str  # portrait or upper_body
    size: float  # of the head, to what the framing asks for
    shift: float  # of the figure, to the right
    tilt: float  # of the head, clockwise
    turn: float  # of the head, -1 left to 1 right
    gaze: float  # of the eyes, likewise
    pen: float  # pixels of an ordinary line
    girl: bool
    skin: str  # '#rrggbb'
    chin: float  # 0 round, 1 pointed
    pointy_ears: bool
    mood: str
    eyes: str
    eye_size: float
    eye_color: str
    blush: bool
    mark: str
    hairstyle: str
    bangs: str
    flipped: bool  # whether what is lopsided is on the other side
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
        """Return the sign of x on the side of asymmetric things."""
        return -1 if self.flipped else 1

    @property
    def shoulder(self) -> float:
        """Return half the width of the shoulders."""
        return 0.55 if self.girl else 0.66


def portrait(number: int) -> Portrait:
    """Return the sitter of a number."""
    dice = Random(f"sitter {number}")
    girl, framing = chance(dice, 0.75), pick(dice, ("portrait", "upper_body"))
    hairstyle = pick(dice, tuple(HAIRSTYLES) if girl else BOYISH)
    hat = pick(dice, tuple(HATS)[1:]) if "bun" not in hairstyle and chance(dice, 0.35) else ""
    ornament = "" if hat else pick(dice, ("", "", *ORNAMENTS))
    covered = {"": (), "cap": ("parted", "blunt")}.get(hat, ("parted",))
    bangs = pick(dice, [name for name in BANGS if name not in covered])
    moods = [name for name, (_, lids, _) in MOODS.items() if lids != "wink" or bangs != "over_eye"]
    clothes = pick(dice, [name for name in CLOTHES if girl or name not in ("serafuku", "dress")])
    width, height = pick(dice, FORMATS)
    return Portrait(
        seed=number, width=width, height=height, framing=framing, size=between(dice, 0.9, 1.1),
        shift=between(dice, -0.16, 0.16), tilt=between(dice, -11, 11), turn=between(dice, -1, 1),
        gaze=between(dice, -1, 1), pen=between(dice, 1.9, 2.8), flipped=chance(dice, 0.5),
        girl=girl, skin=pick(dice, SKINS), chin=between(dice, 0, 1), mood=pick(dice, moods),
        eyes=pick(dice, ("round", *EYE_SHAPES)), eye_size=between(dice, 0.92, 1.12),
        pointy_ears=chance(dice, 0.12), blush=chance(dice, 0.6 if girl else 0.25),
        mark=pick(dice, ("", "", "", *MARKS)), hairstyle=hairstyle, bangs=bangs,
        volume=between(dice, 0.97, 1.07), ahoge=not hat and ornament != "crown" and chance(dice, 0.3),
        clothes=clothes, hat=hat, ornament=ornament,
        glasses=pick(dice, ("", "", *GLASSES)), earrings=hairstyle in EARS_OUT and chance(dice, 0.4),
        neckwear=pick(dice, tuple(NECKWEAR)) if clothes in BARE_NECK else "",
        staff=pick(dice, tuple(STAFFS)[1:]) if framing == "upper_body" and chance(dice, 0.25) else "",
        scene=pick(dice, ("plain", "gradient", *SCENES)), **paints(dice),
    )  # fmt: skip


def recolor(portrait: Portrait, number: int) -> Portrait:
    """Return the same drawing in other colors."""
    return replace(portrait, **paints(Random(f"paints {number}"), portrait))


def complicate(portrait: Portrait) -> Portrait:
    """Return the same sitter amid dense hatching, where a sketch has almost as much black as white."""
    return replace(portrait, scene=tuple(BUSY_SCENES)[portrait.seed % 2], framing="upper_body", size=0.66)


def tags(portrait: Portrait) -> list[str]:
    """Return sorted Danbooru tags for everything visible in the picture, and for nothing else."""
    p, whose, (brows, lids, mouth) = portrait, "female" if portrait.girl else "male", MOODS[portrait.mood]
    line = " ".join((
        "solo", p.framing, "1girl" if p.girl else "1boy male_focus",
        f"dark_skin dark-skinned_{whose}" * (p.skin in DARK_SKINS),
        LIDS[lids], MOUTHS[mouth], EYE_SHAPES[p.eyes] * (lids == "open"),
        "v-shaped_eyebrows" * (brows == "angry"),
        "blush" * p.blush, MARKS[p.mark], GLASSES[p.glasses], "pointy_ears" * p.pointy_ears,
        "earrings jewelry" * p.earrings, "{hair}_hair", HAIRSTYLES[p.hairstyle], BANGS[p.bangs],
        "ahoge" * p.ahoge, HATS[p.hat], ORNAMENTS[p.ornament], CLOTHES[p.clothes], NECKWEAR[p.neckwear],
        "collarbone" * (p.clothes == "dress" and p.neckwear != "scarf"), STAFFS[p.staff],
        (SCENES | BUSY_SCENES)[p.scene],
    ))  # fmt: skip
    colors = {field.removesuffix("_color"): getattr(p, field) for field in PALETTES}
    return sorted(set(line.format(**colors).split()))


def paints(dice: Random, old: Portrait | None = None) -> dict[str, Any]:
    """Draw all colors but that of the skin: none as in the old portrait, no trimming as its cloth."""
    colors: dict[str, str] = {}
    for field, palette in PALETTES.items():
        cloth = colors.get("clothes_color") if field in ("trim_color", "accent_color") else None
        colors[field] = pick(
            dice, [name for name in palette if name not in (cloth, getattr(old, field, None))]
        )
    return colors


def pick(dice: Random, options: Sequence) -> Any:
    """Draw one of several options."""
    return options[int(dice.random() * len(options))]


def between(dice: Random, low: float, high: float) -> float:
    """Draw a number between two."""
    return round(low + (high - low) * dice.random(), 4)


def chance(dice: Random, share: float) -> bool:
    """Return True with a probability."""
    return dice.random() < share
