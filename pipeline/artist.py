"""A small artist: draws cartoon portraits, each from a number, and says in tags what it drew.

A Portrait holds all that a picture is made of, so equal portraits give equal bytes and no line depends on
a color. Figures are drawn in heads: the middle of the skull is (0, 0), the chin is near (0, 0.5), y grows
downward. From back to front: scene, hair behind, body, face, hair in front, hat, staff.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import cv2
import numpy as np

from pipeline.ink import (
    GOLD,
    IVORY,
    LINE,
    LIP,
    WHITE,
    WOOD,
    Color,
    Ink,
    band,
    blob,
    bow,
    curve,
    draw_bow,
    draw_braid,
    draw_cloud,
    draw_crown,
    draw_flower,
    draw_lock,
    draw_tree,
    draw_window,
    mirrored,
    mix,
    moved,
    oval,
    rgb,
    shade,
    star,
    symmetric,
    taper,
    tint,
)

SIDE = 512  # short side of a picture, in pixels
FINENESS = 2  # pixels of the page to one of the picture
FORMATS = ((512, 512), (512, 512), (512, 640), (512, 640), (512, 576), (640, 512))

# ---------------------------------------------------------------- what there is to choose from, and its tags

HAIR = {
    "black": "#3d3a4d", "brown": "#7a4f3a", "light_brown": "#b98a5f", "blonde": "#f1d484", "red": "#c23b3a",
    "orange": "#ee8b47", "pink": "#f6a5c0", "purple": "#8f6cc4", "blue": "#4f7fd3", "light_blue": "#9fd2f2",
    "aqua": "#55c8c4", "green": "#6db56c", "grey": "#a3a6b5", "white": "#eeeaf2", "dark_blue": "#39477f",
}  # fmt: skip
EYES = {
    "blue": "#3f86e0", "green": "#3fa75b", "red": "#d03a45", "brown": "#8a5230", "yellow": "#e6b62c",
    "purple": "#8b53c9", "pink": "#ea6a9f", "orange": "#e67a2a", "aqua": "#2fb9bd", "grey": "#7f8797",
}  # fmt: skip
CLOTH = {
    "white": "#f6f4f2", "black": "#45424f", "grey": "#9da1ad", "red": "#cf4046", "pink": "#f3a6b9",
    "orange": "#ec9148", "yellow": "#f3d064", "green": "#5f9f67", "aqua": "#6ec9c6", "blue": "#4a78c0",
    "purple": "#8664ae", "brown": "#8f6648",
}  # fmt: skip
BACKDROP = {
    "white": "#fbfaf8", "grey": "#c3c6cf", "pink": "#fbd3dd", "red": "#e0797a", "orange": "#f8bf8f",
    "yellow": "#fbe9a8", "green": "#b9dcae", "aqua": "#b5e4e2", "blue": "#a9cbee", "purple": "#cdbbe6",
    "brown": "#b89a83",
}  # fmt: skip
PALETTES = {
    "hair_color": HAIR, "eye_color": EYES, "clothes_color": CLOTH, "trim_color": CLOTH, "accent_color": CLOTH,
    "scene_color": BACKDROP,
}  # fmt: skip
SKINS = ("#ffe9df", "#fde0cd", "#f8d2b4", "#e3ac82", "#b87a54", "#8c5a40")
DARK_SKINS = SKINS[-2:]

MOODS = {  # brows, eyes, mouth
    "happy": ("raised", "open", "smile"), "cheerful": ("raised", "open", "laugh"),
    "laughing": ("raised", "closed", "laugh"), "calm": ("level", "open", "closed"),
    "gentle": ("level", "closed", "smile"), "angry": ("angry", "open", "frown"),
    "surprised": ("raised", "open", "gasp"), "sad": ("worried", "open", "frown"),
    "sly": ("angry", "half", "smirk"), "sleepy": ("level", "half", "closed"),
    "winking": ("raised", "wink", "laugh"), "catlike": ("level", "open", "cat"),
    "teasing": ("raised", "wink", "smile"), "shy": ("worried", "open", "closed"),
}  # fmt: skip
MOUTHS = {
    "smile": "smile closed_mouth", "laugh": ":d smile open_mouth", "closed": "closed_mouth",
    "frown": "frown closed_mouth", "gasp": ":o open_mouth", "smirk": "smirk closed_mouth",
    "cat": ":3 closed_mouth",
}  # fmt: skip
LIDS = {
    "open": "{eye}_eyes", "closed": "closed_eyes", "half": "half-closed_eyes {eye}_eyes",
    "wink": "one_eye_closed {eye}_eyes",
}  # fmt: skip
EYE_SHAPES = {"round": "", "sharp": "tsurime", "droopy": "tareme"}
# the tips of the locks over the brow, from left to right, the height of the gaps between them, and the tag
BANGS = {
    "blunt": (
        ((-0.36, 0.01), (-0.23, -0.01), (-0.08, -0.02), (0.07, -0.02), (0.22, -0.01), (0.35, 0.01)),
        -0.06,
    ),
    "between": (((-0.39, 0.08), (-0.24, 0.00), (0.02, 0.13), (0.22, -0.01), (0.38, 0.07)), -0.17),
    "parted": (
        ((-0.42, 0.14), (-0.33, 0.00), (-0.20, -0.12), (0.20, -0.12), (0.33, 0.00), (0.42, 0.14)),
        -0.24,
    ),
    "swept": (((-0.42, 0.12), (-0.30, 0.05), (-0.14, 0.01), (0.03, -0.05), (0.40, 0.08)), -0.17),
    "over_eye": (((-0.41, 0.10), (-0.28, 0.00), (-0.12, -0.04), (0.24, 0.38)), -0.16),
}
BANGS_TAGS = {
    "blunt": "blunt_bangs", "between": "hair_between_eyes", "parted": "parted_bangs", "swept": "swept_bangs",
    "over_eye": "hair_over_one_eye",
}  # fmt: skip
HAIRSTYLES = {
    "short": "short_hair", "spiky": "short_hair spiky_hair", "bob": "short_hair bob_cut",
    "long": "long_hair sidelocks", "wavy": "long_hair wavy_hair sidelocks",
    "twintails": "long_hair twintails hair_ribbon {accent}_ribbon",
    "low_twintails": "long_hair twintails low_twintails hair_ribbon {accent}_ribbon",
    "ponytail": "long_hair ponytail", "bun": "hair_bun single_hair_bun", "double_bun": "hair_bun double_bun",
    "braid": "long_hair braid single_braid", "twin_braids": "long_hair braid twin_braids",
}  # fmt: skip
BARE_NECK = ("serafuku", "dress", "t-shirt", "overalls")  # clothes that leave room for neckwear
BOYISH = ("short", "spiky", "short", "spiky", "bob", "ponytail", "long")
EARS_OUT = ("short", "spiky", "ponytail", "bun", "double_bun")  # hairstyles that leave the ears bare
HATS = {
    "": "", "witch_hat": "hat witch_hat {accent}_headwear", "straw_hat": "hat straw_hat sun_hat",
    "top_hat": "hat top_hat {accent}_headwear", "beret": "hat beret {accent}_headwear",
    "beanie": "hat beanie {accent}_headwear", "cap": "hat baseball_cap {accent}_headwear",
}  # fmt: skip
ORNAMENTS = {
    "": "", "crown": "crown", "ears": "animal_ears cat_ears", "bow": "hair_bow {accent}_bow",
    "flower": "hair_ornament hair_flower flower {accent}_flower", "hairclip": "hair_ornament hairclip",
    "star": "hair_ornament star_hair_ornament star_(symbol)", "hairband": "hairband {accent}_hairband",
    "headphones": "headphones", "horns": "horns",
}  # fmt: skip
CLOTHES = {
    "serafuku": "school_uniform serafuku sailor_collar {clothes}_sailor_collar "
                "neckerchief {trim}_neckerchief",
    "hoodie": "hoodie hood hood_down drawstring {clothes}_hoodie", "cloak": "cloak {clothes}_cloak brooch",
    "collared_shirt": "shirt collared_shirt {clothes}_shirt necktie {trim}_necktie",
    "dress": "dress {clothes}_dress sleeveless_dress sleeveless bare_shoulders",
    "sweater": "sweater turtleneck turtleneck_sweater {clothes}_sweater",
    "kimono": "japanese_clothes kimono {clothes}_kimono",
    "blazer": "jacket {clothes}_jacket blazer collared_shirt white_shirt necktie {trim}_necktie",
    "t-shirt": "shirt t-shirt {clothes}_shirt", "overalls": "overalls {clothes}_overalls shirt {trim}_shirt",
}  # fmt: skip
GLASSES = {"": "", "round": "glasses round_eyewear", "square": "glasses"}
NECKWEAR = {
    "": "",
    "scarf": "scarf {accent}_scarf",
    "choker": "choker",
    "necklace": "necklace jewelry pendant",
}
STAFFS = {
    "": "",
    "orb": "staff holding_staff orb",
    "moon": "staff holding_staff",
    "star": "staff holding_staff",
}
MARKS = {"": "", "freckles": "freckles", "mole": "mole mole_under_eye"}
SCENES = {
    "plain": "simple_background {scene}_background", "gradient": "gradient_background",
    "sky": "sky cloud outdoors blue_sky", "sunset": "sky sunset sun cloud outdoors",
    "hills": "outdoors sky hill tree", "night": "night night_sky star_(sky) moon outdoors",
    "room": "indoors window curtains", "ocean": "outdoors ocean horizon sky cloud",
    "dots": "polka_dot_background", "stripes": "striped_background", "rays": "sunburst_background",
    "petals": "petals simple_background {scene}_background",
}  # fmt: skip
BUSY_SCENES = {"thicket": "outdoors leaf nature", "crosshatch": "crosshatching"}


@dataclass(frozen=True)
class Portrait:
    """All that a picture is made of; lengths are heads, angles degrees, words keys of the tables above."""

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
        """Return the sign of x on the side where lopsided things are."""
        return -1 if self.flipped else 1

    @property
    def shoulder(self) -> float:
        """Return half the width of the shoulders."""
        return 0.55 if self.girl else 0.66


def portrait(number: int) -> Portrait:
    """Return the sitter that a number stands for."""
    dice = Random(f"sitter {number}")
    girl, framing = _chance(dice, 0.75), _pick(dice, ("portrait", "upper_body"))
    hairstyle = _pick(dice, tuple(HAIRSTYLES) if girl else BOYISH)
    hat = _pick(dice, tuple(HATS)[1:]) if "bun" not in hairstyle and _chance(dice, 0.35) else ""
    ornament = "" if hat else _pick(dice, ("", "", *ORNAMENTS))
    covered = {"": (), "cap": ("parted", "blunt")}.get(hat, ("parted",))
    bangs = _pick(dice, [name for name in BANGS if name not in covered])
    moods = [name for name, (_, lids, _) in MOODS.items() if lids != "wink" or bangs != "over_eye"]
    clothes = _pick(dice, [name for name in CLOTHES if girl or name not in ("serafuku", "dress")])
    width, height = _pick(dice, FORMATS)
    return Portrait(
        seed=number, width=width, height=height, framing=framing, size=_between(dice, 0.9, 1.1),
        shift=_between(dice, -0.16, 0.16), tilt=_between(dice, -11, 11), turn=_between(dice, -1, 1),
        gaze=_between(dice, -1, 1), pen=_between(dice, 1.9, 2.8), flipped=_chance(dice, 0.5),
        girl=girl, skin=_pick(dice, SKINS), chin=_between(dice, 0, 1), mood=_pick(dice, moods),
        eyes=_pick(dice, ("round", *EYE_SHAPES)), eye_size=_between(dice, 0.92, 1.12),
        pointy_ears=_chance(dice, 0.12), blush=_chance(dice, 0.6 if girl else 0.25),
        mark=_pick(dice, ("", "", "", *MARKS)), hairstyle=hairstyle, bangs=bangs,
        volume=_between(dice, 0.97, 1.07), ahoge=not hat and ornament != "crown" and _chance(dice, 0.3),
        clothes=clothes, hat=hat, ornament=ornament,
        glasses=_pick(dice, ("", "", *GLASSES)), earrings=hairstyle in EARS_OUT and _chance(dice, 0.4),
        neckwear=_pick(dice, tuple(NECKWEAR)) if clothes in BARE_NECK else "",
        staff=_pick(dice, tuple(STAFFS)[1:]) if framing == "upper_body" and _chance(dice, 0.25) else "",
        scene=_pick(dice, ("plain", "gradient", *SCENES)), **_colors(dice),
    )  # fmt: skip


def recolor(portrait: Portrait, number: int) -> Portrait:
    """Return the same drawing in other colors."""
    return replace(portrait, **_colors(Random(f"paints {number}"), portrait))


def complicate(portrait: Portrait) -> Portrait:
    """Return the same sitter amid dense hatching, where a sketch has almost as much black as white."""
    return replace(portrait, scene=tuple(BUSY_SCENES)[portrait.seed % 2], framing="upper_body", size=0.66)


def tags(portrait: Portrait) -> list[str]:
    """Return Danbooru tags, sorted, for what can be seen in the picture and nothing else."""
    p, whose, (brows, lids, mouth) = portrait, "female" if portrait.girl else "male", MOODS[portrait.mood]
    line = " ".join((
        "solo", p.framing, "1girl" if p.girl else "1boy male_focus",
        f"dark_skin dark-skinned_{whose}" * (p.skin in DARK_SKINS),
        LIDS[lids], MOUTHS[mouth], EYE_SHAPES[p.eyes] * (lids == "open"),
        "v-shaped_eyebrows" * (brows == "angry"),
        "blush" * p.blush, MARKS[p.mark], GLASSES[p.glasses], "pointy_ears" * p.pointy_ears,
        "earrings jewelry" * p.earrings, "{hair}_hair", HAIRSTYLES[p.hairstyle], BANGS_TAGS[p.bangs],
        "ahoge" * p.ahoge, HATS[p.hat], ORNAMENTS[p.ornament], CLOTHES[p.clothes], NECKWEAR[p.neckwear],
        "collarbone" * (p.clothes == "dress" and p.neckwear != "scarf"), STAFFS[p.staff],
        (SCENES | BUSY_SCENES)[p.scene],
    ))  # fmt: skip
    colors = {field.removesuffix("_color"): getattr(p, field) for field in PALETTES}
    return sorted(set(line.format(**colors).split()))


def _colors(dice: Random, old: Portrait | None = None) -> dict[str, str]:
    """Choose all colors but the skin's: none as in the old portrait, and no trimming lost on its cloth."""
    colors: dict[str, str] = {}
    for field, palette in PALETTES.items():
        cloth = colors.get("clothes_color") if field in ("trim_color", "accent_color") else None
        colors[field] = _pick(
            dice, [name for name in palette if name not in (cloth, getattr(old, field, None))]
        )
    return colors


def _pick(dice: Random, options: Sequence):
    return options[int(dice.random() * len(options))]


def _between(dice: Random, low: float, high: float) -> float:
    return round(low + (high - low) * dice.random(), 4)


def _chance(dice: Random, share: float) -> bool:
    return dice.random() < share


# ---------------------------------------------------------------- the picture

HEADROOM = {  # how far what is worn rises above the hair
    "witch_hat": 0.66, "top_hat": 0.42, "straw_hat": 0.2, "beret": 0.16, "cap": 0.14, "beanie": 0.28,
    "ears": 0.22, "crown": 0.2, "horns": 0.25, "bun": 0.3, "double_bun": 0.1,
}  # fmt: skip


def draw(portrait: Portrait) -> np.ndarray:
    """Draw a portrait, uint8 RGB (H, W, 3)."""
    across = portrait.width * FINENESS
    page = np.full((portrait.height * FINENESS, across, 3), 255, np.uint8)
    canvas = Ink(page, np.diag((across, across, 1.0))[:2], portrait.pen * FINENESS)
    draw_scene(canvas, portrait)
    draw_figure(canvas, portrait)
    return cv2.resize(page, (portrait.width, portrait.height), interpolation=cv2.INTER_AREA)


def draw_figure(canvas: Ink, sitter: Portrait) -> None:
    """Draw the sitter from back to front, placed so that the hat stays in the picture."""
    tall = sitter.height / sitter.width
    room = 0.66 + max(HEADROOM.get(worn, 0) for worn in (sitter.hat, sitter.ornament, sitter.hairstyle))
    nominal, middle = (0.53, 0.40) if sitter.framing == "portrait" else (0.41, 0.33)
    size = sitter.size * min(1, tall) * nominal / (0.85 + 0.25 * room)
    body = canvas.at(0.5 + sitter.shift * size, max(middle * tall, room * size + 0.02), size)
    body = body.at(0, 1.6, degrees=-0.35 * sitter.tilt).at(0, -1.6)
    skull = body.at(0, 0.5, degrees=sitter.tilt).at(0, -0.5)
    head = replace(skull, bend=0.12 * sitter.turn)
    draw_hair_behind(skull, sitter)
    draw_body(replace(body, bend=0.07 * sitter.turn).at(0, -0.08), sitter)
    draw_head(head, sitter)
    draw_hair_in_front(head, sitter)
    draw_headwear(head, sitter)
    draw_staff(body, sitter)


# ---------------------------------------------------------------- the head


def draw_head(head: Ink, sitter: Portrait) -> None:
    """Draw ears, face, eyes, nose, mouth and glasses."""
    draw_ears(head, sitter)
    draw_face(head, sitter)
    for side in (-1, 1):
        draw_eye(head, sitter, side)
    draw_nose_and_mouth(head, sitter)
    draw_glasses(head, sitter)


def face_shape(sitter: Portrait) -> np.ndarray:
    """Return the contour of the face: a girl's chin is short, a boy's longer."""
    narrow, long = 0.04 * sitter.chin, 0 if sitter.girl else 0.03
    cheek = [
        (0, -0.5),
        (0.25, -0.46),
        (0.40, -0.28),
        (0.432, -0.05),
        (0.42, 0.12),
        (0.372 - narrow / 2, 0.275),
    ]
    jaw = [(0.255 - narrow, 0.405 + long), (0.10 - narrow, 0.492 + long), (0, 0.51 + long + narrow / 3)]
    return curve(symmetric(cheek + jaw), closed=True)


def draw_face(head: Ink, sitter: Portrait) -> None:
    """Draw the skin of the face, the shadow of the hair on it, blush and marks."""
    skin, shape = rgb(sitter.skin), face_shape(sitter)
    shadow = mix(shade(skin, 0.55), rgb("#e08a80"), 0.15)
    head.fill(shape, shadow)
    with head.inside(shape) as part:
        part.wash(moved(shape, -0.035, -0.03), tint(skin, 0.1), skin)
        part.fill(moved(np.concatenate(fringe(sitter)), 0.02, 0.06), shadow)
        for x in (-0.27, 0.27):
            part.glow((x, 0.27), (0.11, 0.07), rgb("#f2746b"), 0.5 if sitter.blush else 0.14)
    head.outline(shape)
    for x in (0.23, 0.27, 0.31) if sitter.blush else ():
        head.strokes([(x + 0.012, 0.25), (x - 0.012, 0.285)], 0.6, mix(rgb("#e0524f"), skin, 0.25))
    if sitter.mark == "freckles":
        for x, y in ((0.19, 0.25), (0.24, 0.27), (0.29, 0.25), (0.22, 0.295), (0.275, 0.30)):
            head.strokes([(x - 0.006, y), (x + 0.006, y)], 1.6, shade(skin, 1.6), ends=(1, 1))
    elif sitter.mark == "mole":
        head.fill(oval(-0.24 * sitter.side, 0.29, 0.015, 0.015), LINE)


def draw_ears(head: Ink, sitter: Portrait) -> None:
    """Draw both ears and what hangs from them."""
    tip = (0.66, -0.10) if sitter.pointy_ears else (0.505, 0.03)
    head.pair(blob((0.40, 0.0), tip, (0.52, 0.14), (0.46, 0.26), (0.39, 0.27)), rgb(sitter.skin))
    head.strokes(curve([(0.485, 0.06), (0.455, 0.12), (0.46, 0.20)]), 0.8)
    if sitter.earrings:
        head.pair(oval(0.465, 0.31, 0.028, 0.042), GOLD, (-0.008, -0.01), 0.7)


def draw_eye(head: Ink, sitter: Portrait, side: int) -> None:
    """Draw the eye on one side, as open as the mood has it."""
    lids, height = MOODS[sitter.mood][1], 0.115 if sitter.girl else 0.094
    middle, size = np.array((0.195 * side, 0.115)), np.array((0.108, height)) * sitter.eye_size
    if lids == "closed" or (lids == "wink" and side != sitter.side):
        for lid, weight in ((curve([(-1, 0.35), (-0.5, -0.1), (0.1, -0.2), (0.7, 0.05), (1.05, 0.45)]), 2.2),
                            (bow((0.75, 0.1), (1.0, 0.1), (1.2, 0)), 1.2)):  # fmt: skip
            head.stroke(lid * (side, 1) * size + middle, weight, ends=(0.3, 0.5))
        return
    upper, lower = (lid * (side, 1) * size + middle for lid in eyelids(sitter.eyes, lids))
    white = np.concatenate([upper, lower[::-1]])
    head.fill(white, rgb("#fdfbfa"))
    with head.inside(white) as part:
        part.stroke(moved(upper, 0, 0.02), 6, rgb("#c9c2d6"), ends=(1, 1))
        seen = middle + np.array((0.022 * sitter.gaze, 0.004))
        draw_iris(part, rgb(EYES[sitter.eye_color]), seen, size * (0.66, 0.92))
    draw_lashes(head, upper, lower, side, sitter.girl)


def eyelids(eyes: str, lids: str) -> list[np.ndarray]:
    """Return the upper and the lower lid of an eye on the right, in halves of its width and height."""
    slant = {"round": 0.0, "sharp": -0.22, "droopy": 0.2}[eyes]
    upper = curve([(-1, 0.2), (-0.72, -0.45), (-0.1, -0.95), (0.55, -0.75), (0.95, -0.05)])
    lower = curve([(-1, 0.2), (-0.72, 0.72), (0, 0.98), (0.62, 0.72), (0.95, -0.05)])
    upper[:, 1] = np.maximum(upper[:, 1], -0.25 if lids == "half" else -1)
    return [np.stack([lid[:, 0], lid[:, 1] + slant * (lid[:, 0] + 0.2)], axis=1) for lid in (upper, lower)]


def draw_iris(part: Ink, color: Color, middle: np.ndarray, size: np.ndarray) -> None:
    """Draw iris, pupil and highlights: dark above, bright below."""

    def spot(x: float, y: float, rx: float, ry: float) -> np.ndarray:
        return oval(*(middle + size * (x, y)), *(size * (rx, ry)))

    part.fill(spot(0, 0, 1, 1), shade(color, 2.2))
    part.wash(spot(0, 0, 0.88, 0.9), shade(color, 1.7), tint(color, 0.25))
    part.fill(spot(0, 0.5, 0.55, 0.28), tint(color, 0.5))
    part.fill(spot(0, 0, 0.42, 0.48), shade(color, 2.6))
    part.fill(spot(-0.36, -0.42, 0.34, 0.3), WHITE)
    part.fill(spot(0.42, 0.42, 0.16, 0.14), WHITE)


def draw_lashes(head: Ink, upper: np.ndarray, lower: np.ndarray, side: int, long: bool) -> None:
    """Draw the lines of both lids, the fold above, and lashes at the outer corner."""
    head.stroke(upper, 3.0 if long else 2.3, ends=(0.35, 0.6))
    head.stroke(lower[len(lower) // 2 :], 1.0, ends=(0.1, 0.8))
    fold = upper[len(upper) // 4 : -len(upper) // 5]
    head.stroke(fold * (1, 0.8) + (0, fold[:, 1].min() * 0.2 - 0.03), 0.7, mix(LINE, LIP, 0.4), ends=(0, 0))
    for x, y, back in ((0.04, -0.015, 1), (0.035, -0.045, 5)) if long else ((0.025, 0, 1),):
        root, tip = upper[-back], upper[-1] + np.array((x * side, y))
        head.stroke(bow(root, root + np.array((x * side * 0.6, y * 0.2)), tip), 1.8, ends=(1, 0))


def draw_brows(head: Ink, sitter: Portrait) -> None:
    """Draw the brows, over the hair as cartoonists do."""
    heights = {"raised": (-0.10, -0.085), "level": (-0.065, -0.06), "angry": (-0.02, -0.10),
               "worried": (-0.11, -0.045)}  # fmt: skip
    inner, outer = heights[MOODS[sitter.mood][0]]
    color = mix(shade(rgb(HAIR[sitter.hair_color]), 1.3), LINE, 0.6)
    brow = bow((0.10, inner), (0.21, min(inner, outer) - 0.035), (0.31, outer))
    head.strokes(brow, 1.6 if sitter.girl else 2.6, color, ends=(0.7, 0.1))


def draw_nose_and_mouth(head: Ink, sitter: Portrait) -> None:
    """Draw the nose as a touch of the pen, and the mouth in its mood."""
    mouth = MOODS[sitter.mood][2]
    head.stroke(bow((0.008, 0.235), (0.025, 0.262), (-0.004, 0.268)), 0.9)
    if mouth == "laugh":
        lips = blob((-0.11, 0.335), (0, 0.35), (0.11, 0.335), (0.07, 0.41), (0, 0.435), (-0.07, 0.41))
        return draw_open_mouth(head, lips)
    if mouth == "gasp":
        return draw_open_mouth(head, oval(0, 0.37, 0.04, 0.05))
    head.stroke([(-0.025, 0.425), (0.025, 0.425)], 0.6, shade(rgb(sitter.skin), 1.2))
    if mouth == "cat":
        return head.strokes(bow((0, 0.35), (0.055, 0.41), (0.10, 0.345)), 1.2)
    heights = {"smile": (0.345, 0.40, 0.345), "closed": (0.362, 0.368, 0.362), "frown": (0.385, 0.345, 0.385),
               "smirk": (0.372, 0.388, 0.335)}  # fmt: skip
    left, middle, right = heights[mouth]
    wide = 0.06 if mouth == "closed" else 0.095
    head.stroke(bow((-wide, left), (0, middle), (wide, right)), 1.3)


def draw_open_mouth(head: Ink, lips: np.ndarray) -> None:
    """Draw an open mouth with its tongue and upper teeth."""
    top, bottom = lips[:, 1].min(), lips[:, 1].max()
    head.fill(lips, LIP)
    with head.inside(lips) as part:
        part.fill(oval(0, bottom + 0.005, 0.06, (bottom - top) * 0.45), rgb("#ee8d8a"))
        part.fill(oval(0, top - 0.005, 0.09, 0.022), WHITE)
    head.outline(lips, 1.1)


def draw_glasses(head: Ink, sitter: Portrait) -> None:
    """Draw glasses: frames, bridge, and a gleam on each lens."""
    if not sitter.glasses:
        return
    square = blob((-0.15, -0.10), (0.15, -0.10), (0.15, 0.04), (0.10, 0.115), (-0.10, 0.115), (-0.15, 0.04))
    lens = oval(0, 0, 0.15, 0.145) if sitter.glasses == "round" else square
    for x in (-0.195, 0.195):
        head.outline(moved(lens, x, 0.125), 1.5)
        head.stroke([(x - 0.10, 0.20), (x - 0.03, 0.06)], 1.2, WHITE)
    head.strokes([(0.345, 0.09), (0.44, 0.06)], 1.4)
    head.stroke(bow((-0.05, 0.11), (0, 0.085), (0.05, 0.11)), 1.5)


# ---------------------------------------------------------------- the hair


def fringe(sitter: Portrait) -> tuple[np.ndarray, np.ndarray]:
    """Return the contour of the hair in front: over the crown from right to left, and back along the tips."""
    return crown_line(sitter), np.concatenate([edge for lock in bangs(sitter) for edge in lock])


def crown_line(sitter: Portrait) -> np.ndarray:
    """Return the contour of the crown, smooth or spiky, from the right temple to the left."""
    smooth = oval(0, -0.08, 0.487, 0.53, 20, -200) * sitter.volume
    if sitter.hairstyle != "spiky":
        return smooth
    dice, spikes = Random(f"spikes {sitter.seed}"), []
    for root, after in zip(smooth[:-4:4], smooth[4::4], strict=True):
        out = (root + after) / 2
        reach = 1.08 if sitter.hat and out[1] < -0.25 else _between(dice, 1.22, 1.36)
        tip = out * reach + (0.05 * sitter.side, 0.12 * abs(out[0]))
        rise, fall = (root + tip) / 2 + out * 0.06, (after + tip) / 2 - out * 0.04
        spikes += [bow(root, rise, tip, 6), bow(tip, fall, after, 6)]
    return np.concatenate(spikes)


def bangs(sitter: Portrait) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the two edges of every lock over the brow, from left to right."""
    tips, gap = BANGS[sitter.bangs]
    dice = Random(f"bangs {sitter.seed}")
    tips = np.array(tips) if sitter.side > 0 else mirrored(tips)[::-1]
    tips = tips + [(_between(dice, -0.02, 0.02), _between(dice, -0.02, 0.02)) for _ in tips]
    gaps = (tips[1:] + tips[:-1]) / 2
    gaps[:, 1] = [gap - 0.16 * (wide > 0.37) + _between(dice, -0.03, 0.03) for wide in np.diff(tips[:, 0])]
    roots = np.concatenate([[(-0.475, 0.10)], gaps, [(0.475, 0.10)]]) * (sitter.volume, 1)

    def edge(root: np.ndarray, tip: np.ndarray) -> np.ndarray:
        return bow(root, root * (0.7, 0.4) + tip * (0.3, 0.6), tip)

    return [(edge(a, tip), edge(b, tip)[::-1]) for a, tip, b in zip(roots[:-1], tips, roots[1:], strict=True)]


def draw_hair_in_front(head: Ink, sitter: Portrait) -> None:
    """Draw the hair over the brow, its gleam, the locks beside the face, and the brows."""
    color = rgb(HAIR[sitter.hair_color])
    draw_side_locks(head, sitter, color)
    draw_ears_and_horns(head, sitter, color)
    crown, edge = fringe(sitter)
    draw_sheen(head, np.concatenate([crown, edge]), color, bool(sitter.hat))
    head.stroke(crown, 1.3, ends=(0.6, 0.6))
    for left, right in bangs(sitter):
        x, y = right[-1]
        head.stroke(left, 1.1, ends=(0.4, 0.7))
        head.stroke(right, 1.1, ends=(0.7, 0.4))
        if y < 0.05:
            head.stroke(bow((x, y), (x * 0.95, y - 0.12), (x * 0.7, y - 0.24)), 0.9, ends=(0.8, 0))
    if sitter.ahoge:
        wisp = np.array([(-0.02, -0.52), (0.02, -0.72), (0.18, -0.76)]) * (sitter.side, 1)
        draw_lock(head, wisp, 0.075, color)
    draw_brows(head, sitter)


def draw_sheen(head: Ink, shape: np.ndarray, color: Color, hatted: bool) -> None:
    """Paint the hair in front: two tones, a zigzag of light, fine strands, the shadow of a hat."""
    head.fill(shape, shade(color))
    with head.inside(shape) as part:
        part.wash(moved(shape, -0.02, -0.035), tint(color, 0.1), color)
        zigzag = 0.055 * taper(33, 0, 0) * (1 + 0.5 * np.cos(np.arange(33) * 2.1))
        part.fill(band(oval(-0.02, 0.06, 0.37, 0.44, 205, 325), zigzag), tint(color, 0.45))
        for x in (0.09, 0.2, 0.31, 0.4):
            strand = bow((x * 0.5, -0.56), (x, -0.5), (x * 1.12, -0.34))
            part.strokes(strand, 0.6, mix(LINE, color, 0.35), ends=(0, 0))
        if hatted:
            part.glow((0, -0.16), (0.45, 0.09), shade(color, 2), 0.6)


def draw_side_locks(head: Ink, sitter: Portrait, color: Color) -> None:
    """Draw the hair that falls beside the cheeks, and braids."""
    short = ([(0.42, -0.15), (0.455, 0.1), (0.45, 0.25), (0.40, 0.40)], 0.09, 0)
    points, width, strands = {
        "bob": ([(0.40, -0.2), (0.50, 0.15), (0.485, 0.45), (0.36, 0.62)], 0.2, 2),
        "long": ([(0.42, -0.2), (0.48, 0.3), (0.50, 0.8), (0.44, 1.3)], 0.15, 2),
        "wavy": ([(0.42, -0.2), (0.50, 0.25), (0.46, 0.6), (0.53, 0.9), (0.46, 1.25)], 0.17, 2),
    }.get(sitter.hairstyle, short)  # fmt: skip
    plait = curve([(0.46, 0.29), (0.51, 0.60), (0.48, 0.95), (0.42, 1.25)])
    for side in (-1, 1):
        draw_lock(head, np.array(points) * (side, 1), width, color, strands)
        if sitter.hairstyle == "twin_braids" or (sitter.hairstyle == "braid" and side == sitter.side):
            draw_braid(head, plait * (side, 1), color, rgb(CLOTH[sitter.accent_color]))


def draw_hair_behind(skull: Ink, sitter: Portrait) -> None:
    """Draw the hair at the back of the head, with tails and buns."""
    color = rgb(HAIR[sitter.hair_color])
    draw_tails(skull, sitter, color)
    fall = {
        "bob": [(0.57, 0.15), (0.56, 0.42), (0.47, 0.6), (0.3, 0.65), (0, 0.6)],
        "long": [(0.54, 0.2), (0.60, 0.7), (0.64, 1.2), (0.60, 1.75), (0.47, 1.6), (0.40, 1.85), (0.22, 1.65),
                 (0, 1.8)],
        "wavy": [(0.58, 0.1), (0.55, 0.4), (0.67, 0.7), (0.62, 1), (0.72, 1.3), (0.62, 1.6), (0.66, 1.8),
                 (0.4, 1.7), (0, 1.8)],
    }.get(sitter.hairstyle, [(0.45, 0.2), (0.42, 0.38), (0.34, 0.52), (0.22, 0.5), (0, 0.56)])  # fmt: skip
    half = np.array([(0, -0.6), (0.24, -0.53), (0.40, -0.36), (0.47, -0.12), *fall])
    shape = curve(symmetric(half * (sitter.volume, 1)), closed=True)
    skull.wash(shape, color, shade(color, 0.8))
    skull.outline(shape, 1.1)
    for x in (0.42, 0.5) if sitter.hairstyle in ("long", "wavy") else ():
        strand = curve([(x, 0.3), (x * 1.08, 0.8), (x * 1.12, 1.5)])
        skull.strokes(strand, 0.8, mix(LINE, color, 0.2), ends=(0, 0.3))


def draw_tails(skull: Ink, sitter: Portrait, color: Color) -> None:
    """Draw what is tied up: tails with their ribbons, and buns."""
    if "twintails" in sitter.hairstyle:
        y, out = (-0.32, 0.76) if sitter.hairstyle == "twintails" else (0.32, 0.62)
        tail = np.array([(0.4, y), (out, y + 0.02), (out + 0.12, 0.5), (out + 0.02, 1), (out + 0.06, 1.45)])
        for side in (-1, 1):
            for reach, length in ((1.12, 1), (0.96, 1.07), (0.84, 0.96)):
                draw_lock(skull, tail * (side * reach, length), 0.27, color, 2)
            draw_bow(skull.at(0.48 * side, y - 0.02, 0.8), rgb(CLOTH[sitter.accent_color]))
    elif sitter.hairstyle == "ponytail":
        tail = np.array([(0.1, -0.5), (0.42, -0.74), (0.80, -0.35), (0.76, 0.3), (0.62, 0.8), (0.70, 1.25)])
        for reach in (1.1, 0.9):
            draw_lock(skull, tail * (sitter.side * reach, 1), 0.3, color, 3)
    elif "bun" in sitter.hairstyle:
        for x in (0,) if sitter.hairstyle == "bun" else (-0.4, 0.4):
            draw_bun(skull.at(x, -0.5, 0.17) if x else skull.at(0, -0.68, 0.2), color)


def draw_bun(ink: Ink, color: Color) -> None:
    """Draw a bun of hair, coiled."""
    ink.cel(oval(0, 0, 1.1, 1), color, (-0.17, -0.17))
    for radius in (0.6, 0.25):
        ink.stroke(oval(0, 0.2, radius, radius, 130, 330), 0.8, mix(LINE, color, 0.2), ends=(0, 0))


# ---------------------------------------------------------------- the headwear


def draw_headwear(head: Ink, sitter: Portrait) -> None:
    """Draw the hat or the hair ornament."""
    color, side = rgb(CLOTH[sitter.accent_color]), sitter.side
    if sitter.hat in ("witch_hat", "straw_hat", "top_hat"):
        draw_brimmed_hat(head, sitter.hat, color, side)
    elif sitter.hat == "beret":
        draw_beret(head.at(0.05 * side, -0.47, degrees=10 * side), color, side)
    elif sitter.hat == "beanie":
        draw_beanie(head, color)
    elif sitter.hat == "cap":
        draw_cap(head, color)
    else:
        draw_ornament(head, sitter.ornament, color, side)


def draw_ornament(head: Ink, worn: str, color: Color, side: int) -> None:
    """Draw what is worn in the hair, if anything."""
    aside = head.at(0.34 * side, -0.30, degrees=18 * side)
    if worn == "crown":
        draw_crown(head.at(0, -0.56))
    elif worn == "bow":
        draw_bow(head.at(0.30 * side, -0.46, 1.25, 25 * side), color)
    elif worn == "hairclip":
        for y in (0, 0.07):
            clip = blob((-0.09, y - 0.02), (0.09, y - 0.025), (0.1, y + 0.015), (-0.09, y + 0.02))
            aside.cel(clip, GOLD, (0, -0.01), 0.8)
    elif worn == "star":
        aside.cel(star(0, 0, 0.12), GOLD, (-0.01, -0.02))
    elif worn == "flower":
        draw_flower(aside, color)
    elif worn == "hairband":
        head.cel(band(oval(0, -0.05, 0.49, 0.47, 190, 350), 0.085), color, (-0.01, -0.02))
    elif worn == "headphones":
        head.cel(band(oval(0, -0.04, 0.50, 0.60, 180, 360), 0.07), color, (-0.01, -0.02))
        head.pair(blob((0.43, -0.1), (0.54, -0.07), (0.57, 0.07), (0.54, 0.22), (0.43, 0.24)), color)


def draw_ears_and_horns(head: Ink, sitter: Portrait, hair: Color) -> None:
    """Draw what grows from under the hair: a cat's ears, horns."""
    if sitter.ornament == "ears":
        head.pair(blob((0.10, -0.45), (0.16, -0.62), (0.42, -0.86), (0.48, -0.50), (0.42, -0.20)), hair)
        head.pair(blob((0.22, -0.52), (0.39, -0.76), (0.42, -0.5), (0.36, -0.3)), rgb("#f4b3b8"), weight=0.7)
    elif sitter.ornament == "horns":
        head.pair(
            curve([(0.16, -0.46), (0.32, -0.68), (0.32, -0.90), (0.46, -0.70), (0.38, -0.40)]), rgb("#75646b")
        )
        for y in (-0.62, -0.69):
            head.strokes(bow((0.29, y), (0.36, y + 0.04), (0.44, y + 0.01)), 0.7)


def draw_brimmed_hat(head: Ink, kind: str, color: Color, side: int) -> None:
    """Draw a brim all around and what rises from it, with a band."""
    color, trim = (rgb("#ecd08a"), color) if kind == "straw_hat" else (color, mix(color, GOLD, 0.75))
    wide, drop = {"witch_hat": (0.88, -0.22), "straw_hat": (0.92, -0.25), "top_hat": (0.64, -0.40)}[kind]
    rise = {
        "witch_hat": [(-0.37, -0.6), (-0.21, -0.92), (0.02, -1.13), (0.28, -1.17), (0.40, -1.04),
                      (0.22, -1.02), (0.18, -0.88), (0.36, -0.6)],
        "straw_hat": [(-0.46, -0.56), (-0.33, -0.76), (0, -0.82), (0.33, -0.76), (0.46, -0.56)],
        "top_hat": [(-0.42, -0.7), (-0.46, -0.99), (0, -1.02), (0.46, -0.99), (0.42, -0.7)],
    }[kind]  # fmt: skip
    brim = symmetric([(0, -0.48), (wide * 0.6, -0.42), (wide, drop), (wide / 2, -0.25), (0, -0.20)])
    head.cel(curve(brim, closed=True), color, (0, -0.04))
    foot = bow((0.47, -0.36), (0, -0.24), (-0.47, -0.36))
    rise = np.concatenate([curve([foot[-1], *(np.array(rise) * (side, 1))[::side], foot[0]])[:-1], foot[:-1]])
    head.cel(rise, color, (-0.04, -0.02))
    with head.inside(rise) as part:
        part.cel(np.concatenate([foot, foot[::-1] * (1.1, 1) - (0, 0.13)]), trim, (0, -0.02))
    head.outline(rise)
    if kind == "straw_hat":
        draw_weave(head, shade(color, 1.2))
    elif kind == "witch_hat":
        head.outline(np.array([(-0.07, -0.42), (0.07, -0.42), (0.07, -0.31), (-0.07, -0.31)]), 2.2, GOLD)


def draw_weave(head: Ink, color: Color) -> None:
    """Draw the plaits of a straw hat."""
    for y in (-0.56, -0.63, -0.70):
        head.stroke(bow((-0.43, y), (0, y + 0.12), (0.43, y)), 0.6, color, ends=(0, 0))
    for x in (0.52, 0.66, 0.8):
        head.strokes(
            bow((x, -0.40 + 0.05 * x), (x + 0.03, -0.33), (x - 0.02, -0.26)), 0.6, color, ends=(0, 0)
        )


def draw_beret(ink: Ink, color: Color, side: int) -> None:
    """Draw a beret that leans to one side."""
    above = [(-0.50, 0.12), (-0.54, -0.06), (-0.28, -0.24), (0.12, -0.27), (0.50, -0.12), (0.62, 0.08)]
    shape = blob(*above, (0.48, 0.17), (0.2, 0.11), (-0.2, 0.11))
    ink.cel(shape * (side, 1), color, (-0.04, -0.05))
    ink.stroke(bow((-0.03, -0.22), (0, -0.3), (0.04, -0.32)), 2.5)


def dome() -> np.ndarray:
    """Return the contour of a hat that fits the skull closely."""
    return np.concatenate(
        [oval(0, -0.16, 0.51, 0.54, 185, 355), bow((0.50, -0.20), (0, -0.34), (-0.50, -0.20))]
    )


def draw_beanie(head: Ink, color: Color) -> None:
    """Draw a knitted hat with cuff and bobble."""
    head.cel(dome(), color, (-0.04, -0.04))
    head.cel(oval(0, -0.78, 0.13, 0.12), tint(color, 0.6), (-0.03, -0.03))
    brow = bow((0.52, -0.22), (0, -0.36), (-0.52, -0.22))
    head.cel(band(brow, 0.16), tint(color, 0.25), (0, -0.03))
    for x in np.linspace(-0.42, 0.42, 9):
        head.stroke([(x, -0.37 + 0.25 * x * x), (x * 1.02, -0.25 + 0.25 * x * x)], 0.7, ends=(0.6, 0.6))


def draw_cap(head: Ink, color: Color) -> None:
    """Draw a baseball cap with its bill."""
    head = head.at(0, -0.05)
    head.cel(dome(), color, (-0.04, -0.04))
    head.strokes(bow((0.044, -0.69), (0.22, -0.6), (0.24, -0.27)), 0.7)
    bill = [(0, -0.32), (0.2, -0.31), (0.40, -0.25), (0.44, -0.10), (0.2, -0.07), (0, -0.065)]
    head.cel(curve(symmetric(bill), closed=True), shade(color, 0.5), (0, -0.04))
    head.cel(oval(0, -0.70, 0.035, 0.02), color, (0, -0.01), 0.8)


# ---------------------------------------------------------------- the body


def draw_body(body: Ink, sitter: Portrait) -> None:
    """Draw neck, shoulders, clothes and what is worn around the neck."""
    skin, color, trim = rgb(sitter.skin), rgb(CLOTH[sitter.clothes_color]), rgb(CLOTH[sitter.trim_color])
    if sitter.clothes == "hoodie":
        body.cel(oval(0, 0.62, 0.46, 0.24), shade(color, 0.6))
    wide = 0.115 if sitter.girl else 0.145
    bust = torso(sitter, [(wide, 0.2), (wide, 0.45), (wide + 0.04, 0.6), (0.24, 0.70)], -0.02)
    body.cel(bust, skin)
    with body.inside(bust) as part:
        part.fill(oval(0, 0.43, 0.23, 0.25), shade(skin, 0.85))
    body.strokes(bow((0.05, 0.80), (0.16, 0.76), (0.33, 0.78)), 0.8, ends=(0.8, 0))
    draw_clothes = {
        "serafuku": draw_serafuku, "hoodie": draw_hoodie, "cloak": draw_cloak, "collared_shirt": draw_shirt,
        "dress": draw_dress, "sweater": draw_sweater, "kimono": draw_kimono, "blazer": draw_blazer,
        "t-shirt": draw_t_shirt, "overalls": draw_overalls,
    }[sitter.clothes]  # fmt: skip
    draw_clothes(body, sitter, color, trim)
    draw_neckwear(body, sitter, rgb(CLOTH[sitter.accent_color]))


def torso(sitter: Portrait, neckline: Sequence, ease: float = 0.02) -> np.ndarray:
    """Return the contour of trunk and arms below a neckline, given on the right from the middle outward."""
    s = sitter.shoulder + ease
    sleeve = [(s - 0.12, 0.77), (s - 0.02, 0.86), (s + 0.05, 1.15), (s + 0.09, 1.8), (s + 0.1, 4)]
    return curve(symmetric([*neckline, *sleeve]), closed=True)


def draw_folds(body: Ink, sitter: Portrait) -> None:
    """Draw the lines between trunk and arms, and a few folds of the cloth."""
    s = sitter.shoulder
    body.strokes(
        curve([(s - 0.13, 1.12), (s - 0.10, 1.5), (s - 0.12, 2.0), (s - 0.08, 4)]), 1.1, ends=(0.1, 1)
    )
    body.strokes(bow((s - 0.13, 1.18), (s - 0.22, 1.22), (s - 0.27, 1.32)), 0.8, ends=(0.6, 0))
    body.strokes(bow((s + 0.06, 1.5), (s, 1.53), (s - 0.03, 1.6)), 0.8, ends=(0.8, 0))


def draw_serafuku(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    """Draw a sailor blouse: wide collar with a stripe, neckerchief."""
    body.cel(torso(sitter, [(0, 0.95), (0.10, 0.78), (0.17, 0.62)]), IVORY)
    draw_folds(body, sitter)
    collar = [(0.14, 0.57), (0.30, 0.66), (0.43, 0.75), (0.42, 0.88), (0.25, 0.98), (0, 1.12), (0, 0.97)]
    body.pair(collar, color)
    body.strokes([(0.37, 0.75), (0.37, 0.85), (0.22, 0.93), (0.02, 1.05)], 1.1, WHITE, ends=(1, 1))
    draw_bow(body.at(0, 1.06, 1.15), trim)


def draw_hoodie(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    """Draw a hooded sweatshirt: the hood lies around the neck, strings hang from it."""
    body.cel(torso(sitter, [(0, 0.92), (0.12, 0.85), (0.2, 0.66)], 0.06), color)
    draw_folds(body, sitter)
    body.stroke([(0, 1.0), (0, 4)], 0.9, ends=(1, 1))
    inside = [(0, 0.86), (0.12, 0.78), (0.19, 0.62), (0.24, 0.47)]
    body.pair(curve([*inside, (0.37, 0.50), (0.44, 0.66), (0.33, 0.85), (0.12, 0.98), (0, 1.02)]), color)
    for tone, weight in ((LINE, 2.6), (trim, 1.3)):
        body.strokes(curve([(0.10, 0.93), (0.12, 1.1), (0.105, 1.3)]), weight, tone, ends=(1, 1))
    body.strokes(curve([(0.12, 1.95), (0.34, 1.62), (0.40, 1.62)]), 1, ends=(1, 0.5))


def draw_cloak(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    """Draw a cloak that opens over a tunic, with a high collar and a brooch."""
    body.cel(torso(sitter, [(0, 0.86), (0.10, 0.76), (0.17, 0.62)]), trim)
    body.stroke([(0, 0.9), (0, 4)], 0.9, ends=(1, 1))
    s = sitter.shoulder
    outside = [(0.10, 0.62), (0.30, 0.66), (s, 0.80), (s + 0.16, 1.2), (s + 0.25, 1.8), (s + 0.28, 4)]
    body.pair(blob(*outside, (0.34, 4), (0.24, 1.9), (0.14, 1.3), (0.02, 0.93)), color)
    for x in (0.18, 0.38):
        body.strokes(curve([(x, 1.0), (x + 0.10, 1.5), (x + 0.16, 2.6)]), 0.8, ends=(0, 0.8))
    collar = [(0.13, 0.52), (0.24, 0.44), (0.36, 0.52), (0.32, 0.74), (0.02, 0.95), (0, 0.88)]
    body.pair(curve(collar), shade(color, 0.35))
    body.cel(oval(0, 0.93, 0.06, 0.06), GOLD, (-0.012, -0.012))
    body.fill(oval(0, 0.93, 0.032, 0.032), rgb("#c8465a"))


def draw_collar_and_tie(body: Ink, color: Color, tie: Color) -> None:
    """Draw the two wings of a shirt collar, and a tie from under them."""
    blade = [(0, 0.80), (0.05, 0.80), (0.035, 0.88), (0.09, 1.38), (0, 1.5)]
    body.cel(symmetric(blade), tie, (-0.02, 0))
    body.stroke([(-0.04, 0.885), (0.04, 0.885)], 0.9, ends=(1, 1))
    body.pair([(0, 0.77), (0.13, 0.54), (0.20, 0.56), (0.27, 0.74), (0.13, 0.92)], color)


def draw_shirt(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    """Draw a buttoned shirt with a tie and a pocket."""
    body.cel(torso(sitter, [(0, 0.80), (0.10, 0.72), (0.17, 0.62)]), color)
    draw_folds(body, sitter)
    body.stroke([(0.07, 0.9), (0.07, 4)], 0.8, ends=(1, 1))
    for y in (1.55, 1.85, 2.15):
        body.cel(oval(0, y, 0.022, 0.022), tint(color, 0.6), (-0.005, -0.005), 0.7)
    body.outline(np.array([(0.19, 1.12), (0.38, 1.10), (0.38, 1.32), (0.285, 1.37), (0.19, 1.32)]), 0.7)
    draw_collar_and_tie(body, tint(color, 0.3), trim)


def draw_dress(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    """Draw a sleeveless dress with straps, a frill, a bow and a sash."""
    s = sitter.shoulder
    draw_folds(body, sitter)
    body.pair([(0.24, 0.69), (0.31, 0.72), (0.35, 1.0), (0.27, 1.0)], shade(color, 0.3))
    side = [
        (0, 0.98),
        (0.20, 0.93),
        (0.36, 0.95),
        (s - 0.10, 1.1),
        (s - 0.15, 1.6),
        (s - 0.18, 1.9),
        (s + 0.1, 4),
    ]
    body.cel(symmetric(curve(side)), color)
    for x in np.linspace(-0.36, 0.36, 9):
        body.cel(oval(x, 0.98 - 0.2 * x * x, 0.055, 0.05), tint(trim, 0.5), (0, -0.02), 0.8)
    body.cel(symmetric([(0, 1.88), (s - 0.17, 1.85), (s - 0.165, 2.0), (0, 2.03)]), trim)
    draw_bow(body.at(0, 1.08, 0.8), trim)


def draw_sweater(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    """Draw a sweater with a ribbed turtleneck and two stripes across."""
    shape = torso(sitter, [(0, 0.70), (0.10, 0.68), (0.18, 0.60)], 0.05)
    body.cel(shape, color)
    with body.inside(shape) as part:
        for y in (1.17, 1.31):
            part.fill(band(bow((-1, y - 0.12), (0, y + 0.12), (1, y - 0.12)), 0.075), trim)
    draw_folds(body, sitter)
    neck = [(0, 0.50), (0.14, 0.48), (0.185, 0.60), (0.21, 0.71), (0.12, 0.77), (0, 0.79)]
    body.cel(symmetric(curve(neck)), tint(color, 0.15))
    for x in np.linspace(-0.14, 0.14, 7):
        body.stroke([(x, 0.55), (x * 1.25, 0.73)], 0.7, ends=(0.4, 0.4))


def draw_kimono(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    """Draw a kimono: crossed bands, sash."""
    body.cel(torso(sitter, [(0, 1.02), (0.12, 0.78), (0.18, 0.60)], 0.1), color, (-0.04, -0.03))
    draw_folds(body, sitter)
    edge = [(0.19, 0.56), (0.17, 0.74), (0.03, 1.02), (-0.2, 1.4), (-0.30, 1.7)]
    body.cel(band(curve(mirrored(edge[:3])), 0.12), trim, (-0.01, -0.01))
    body.cel(band(curve(edge), 0.12), trim, (-0.01, -0.01))
    body.cel(symmetric([(0, 1.62), (0.48, 1.60), (0.47, 2.0), (0, 2.02)]), mix(trim, color, 0.3))
    body.stroke(bow((-0.48, 1.80), (0, 1.84), (0.48, 1.80)), 2, tint(trim, 0.5), ends=(1, 1))


def draw_blazer(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    """Draw a jacket with lapels over shirt and tie."""
    body.cel(torso(sitter, [(0, 0.80), (0.10, 0.72), (0.17, 0.62)]), IVORY)
    draw_collar_and_tie(body, WHITE, trim)
    s = sitter.shoulder
    shoulder = [(0.15, 0.57), (0.26, 0.675), (s - 0.10, 0.75), (s + 0.02, 0.85)]
    sleeve = [(s + 0.09, 1.2), (s + 0.13, 1.8), (s + 0.14, 4)]
    body.pair([*curve(shoulder + sleeve), (0.02, 4), (0.02, 1.62)], color)
    draw_folds(body, sitter)
    body.pair(
        [(0.20, 0.60), (0.32, 0.72), (0.35, 0.92), (0.27, 0.96), (0.31, 1.04), (0.02, 1.62)],
        tint(color, 0.08),
    )
    for y in (1.7, 1.95):
        body.cel(oval(0.06, y, 0.028, 0.028), GOLD, (-0.006, -0.006), 0.8)


def draw_t_shirt(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    """Draw a T-shirt with a print and short sleeves."""
    s = sitter.shoulder
    shape = torso(sitter, [(0, 0.86), (0.13, 0.80), (0.22, 0.67)], 0.04)
    body.cel(shape, color)
    body.cel(star(0, 1.28, 0.18) if sitter.seed % 2 else oval(0, 1.28, 0.16, 0.16), trim, (-0.02, -0.02), 0.9)
    with body.inside(shape) as part:
        part.pair([(s - 0.12, 1.42), (s + 0.2, 1.36), (s + 0.3, 4), (s - 0.10, 4)], rgb(sitter.skin))
    draw_folds(body, sitter)
    body.stroke(
        curve([(-0.25, 0.69), (-0.14, 0.85), (0, 0.92), (0.14, 0.85), (0.25, 0.69)]), 0.8, ends=(0.5, 0.5)
    )


def draw_overalls(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    """Draw overalls with a pocket over a shirt."""
    body.cel(torso(sitter, [(0, 0.80), (0.12, 0.75), (0.2, 0.64)], 0.04), trim)
    draw_folds(body, sitter)
    body.pair([(0.26, 0.68), (0.38, 0.72), (0.33, 1.08), (0.22, 1.08)], color)
    body.cel(symmetric([(0, 1.01), (0.34, 0.99), (0.36, 1.55), (0.46, 1.75), (0.5, 4)]), color)
    body.cel(symmetric([(0, 1.22), (0.19, 1.22), (0.18, 1.44), (0, 1.52)]), tint(color, 0.1), weight=0.8)
    body.pair(oval(0.275, 1.07, 0.04, 0.04), GOLD, weight=0.8)


def draw_neckwear(body: Ink, sitter: Portrait, color: Color) -> None:
    """Draw scarf, choker or necklace."""
    if sitter.neckwear == "scarf":
        body.cel(
            blob((0.10, 0.8), (0.26, 0.82), (0.33, 1.3), (0.14, 1.36)) * (sitter.side, 1), shade(color, 0.3)
        )
        wrap = curve([(0, 0.56), (0.2, 0.5), (0.31, 0.6), (0.29, 0.8), (0.12, 0.92), (0, 0.94)])
        body.cel(symmetric(wrap), color, (-0.03, -0.06))
        for y in (0.66, 0.77):
            fold = bow((-0.27, y - 0.07), (0.02, y + 0.12), (0.28, y))
            body.stroke(fold * (sitter.side, 1), 0.9, ends=(0.3, 0.3))
    elif sitter.neckwear == "choker":
        body.cel(band(bow((-0.15, 0.585), (0, 0.67), (0.15, 0.585)), 0.05), LINE, (0, -0.01), 0.8)
        body.cel(oval(0, 0.665, 0.03, 0.035), GOLD, (-0.006, -0.008), 0.8)
    elif sitter.neckwear == "necklace":
        body.stroke(bow((-0.18, 0.63), (0, 1.1), (0.18, 0.63)), 1.4, shade(GOLD, 1.2), ends=(1, 1))
        body.cel(star(0, 0.89, 0.07, 4), rgb("#5cc3d8"), (-0.01, -0.01), 0.8)


def draw_staff(body: Ink, sitter: Portrait) -> None:
    """Draw a staff beside the sitter and the hand that holds it."""
    if not sitter.staff:
        return
    pole = body.at(0.80 * sitter.side, 1.25, degrees=4 * sitter.side)
    pole.cel(band([(0, -1.25), (0.01, 0), (0, 3)], 0.075), WOOD, (-0.02, 0))
    top, gem = pole.at(0, -1.35), rgb(CLOTH[sitter.accent_color])
    if sitter.staff == "orb":
        claw = [(0, 0.1), (0.13, -0.05), (0.2, -0.2), (0.22, 0.05), (0.05, 0.2)]
        top.cel(curve(symmetric(claw), closed=True), GOLD)
        top.glow((0, -0.08), (0.3, 0.3), tint(gem, 0.6), 0.5)
        top.cel(oval(0, -0.08, 0.13, 0.13), gem, (-0.03, -0.04))
        top.fill(oval(-0.045, -0.125, 0.03, 0.035), WHITE)
    elif sitter.staff == "moon":
        outer, inner = oval(0, -0.06, 0.22, 0.22, -50, 230), oval(0, -0.14, 0.16, 0.16, 200, -20)
        top.cel(np.concatenate([outer, inner]), GOLD)
    else:
        top.cel(star(0, -0.08, 0.24), GOLD, (-0.03, -0.04))
    draw_arm(body, sitter)


def draw_arm(body: Ink, sitter: Portrait) -> None:
    """Draw the forearm that reaches for the staff, and fingers around it."""
    skin, cloth, s = rgb(sitter.skin), rgb(CLOTH[sitter.clothes_color]), sitter.shoulder
    other = {"serafuku": IVORY, "overalls": rgb(CLOTH[sitter.trim_color]), "dress": skin, "t-shirt": skin}
    arm = blob(
        (s - 0.06, 1.75), (s + 0.02, 1.5), (0.68, 1.32), (0.82, 1.42), (s + 0.24, 1.85), (s + 0.12, 2.1)
    )
    body.cel(arm * (sitter.side, 1), other.get(sitter.clothes, cloth))
    hand = body.at(0.79 * sitter.side, 1.27)
    fist = blob((-0.10, -0.10), (0.07, -0.12), (0.11, -0.02), (0.10, 0.10), (-0.02, 0.14), (-0.11, 0.08))
    hand.cel(fist * (sitter.side, 1), skin)
    for y in (-0.055, 0.005, 0.06):
        hand.stroke(bow((-0.01, y), (0.05, y - 0.01), (0.105, y)) * (sitter.side, 1), 0.8, ends=(0.2, 0.8))


# ---------------------------------------------------------------- the scene, in widths of the picture


def draw_scene(canvas: Ink, sitter: Portrait) -> None:
    """Draw the background."""
    tall, color = sitter.height / sitter.width, rgb(BACKDROP[sitter.scene_color])
    dice = Random(f"scene {sitter.seed}")
    page = np.array([(0, 0), (1, 0), (1, tall), (0, tall)])
    canvas.fill(page, color)
    if sitter.scene == "gradient":
        canvas.wash(page, tint(color, 0.5), shade(color, 0.7))
    elif sitter.scene in ("dots", "stripes", "rays"):
        draw_pattern(canvas, sitter.scene, tall, tint(color, 0.45), dice)
    elif sitter.scene == "petals":
        for _ in range(16):
            spot = (dice.random(), dice.random() * tall, _between(dice, 0.03, 0.05), _between(dice, 0, 360))
            petal = blob((0, -1), (0.55, -0.1), (0.1, 0.9), (-0.55, -0.1))
            canvas.at(*spot).cel(petal, rgb("#f7b7cb"), (-0.1, -0.1), 0.6)
    elif sitter.scene == "room":
        canvas.wash(page, tint(color, 0.25), color)
        draw_window(canvas.at(0.27 - 0.24 * sitter.side, 0.08), mix(color, rgb("#c96f6f"), 0.45))
    elif sitter.scene in BUSY_SCENES:
        draw_hatching(canvas, sitter, tall, color)
    elif sitter.scene != "plain":
        draw_sky(canvas, sitter, page, color, dice)


def draw_pattern(canvas: Ink, kind: str, tall: float, color: Color, dice: Random) -> None:
    """Draw dots, stripes or rays of a color."""
    if kind == "dots":
        step = _between(dice, 0.11, 0.16)
        for i, j in np.ndindex(int(1 / step) + 2, int(tall / step) + 2):
            canvas.fill(oval((i + j % 2 / 2) * step, j * step, step / 5, step / 5), color)
    elif kind == "stripes":
        step, lean = _between(dice, 0.07, 0.12), _between(dice, -0.6, 0.6)
        for x in np.arange(-1, 2, 2 * step):
            canvas.fill([(x, 0), (x + step, 0), (x + step + lean, tall), (x + lean, tall)], color)
    else:
        for degrees in range(0, 360, 20):
            canvas.at(0.5, 0.45, 1.5, degrees).fill([(0, 0), (1, 0), (0.985, 0.174)], color)


def draw_sky(canvas: Ink, sitter: Portrait, page: np.ndarray, color: Color, dice: Random) -> None:
    """Draw the sky by day, dusk or night, with hills or the sea under it."""
    tall, scene, skies = (
        page[2, 1],
        sitter.scene,
        {"sunset": ("#7d63a8", "#fbb873"), "night": ("#1d2350", "#4d4f8e")},
    )
    canvas.wash(page, *(mix(rgb(tone), color, 0.2) for tone in skies.get(scene, ("#6fb1ea", "#dff2fb"))))
    spot = (0.5 - 0.38 * sitter.side, _between(dice, 0.13, 0.26) * tall)
    if scene in ("night", "sunset"):
        canvas.glow(spot, (0.2, 0.2), rgb("#fff0b8"), 0.6)
        canvas.fill(oval(*spot, 0.08, 0.08), rgb("#fff4cc"))
    if scene == "night":
        for _ in range(40):
            x, y, size = dice.random(), dice.random() * tall, _between(dice, 0.004, 0.01)
            canvas.fill(star(x, y, size, 4), rgb("#fff6d0"))
        return
    for x in (_between(dice, 0.02, 0.2), _between(dice, 0.3, 0.7), _between(dice, 0.8, 0.98)):
        cloud = canvas.at(x, _between(dice, 0.08, 0.4) * tall, _between(dice, 0.035, 0.06))
        draw_cloud(cloud, rgb("#f8a9a0") if scene == "sunset" else WHITE)
    if scene == "hills":
        draw_hills(canvas, tall, mix(rgb("#7cba6b"), color, 0.3), dice)
    elif scene == "ocean":
        draw_sea(canvas, tall, color, dice)


def draw_hills(canvas: Ink, tall: float, green: Color, dice: Random) -> None:
    """Draw two ranges of hills, and a tree on either side."""
    for height, tone in ((0.55, tint(green, 0.35)), (0.68, green)):
        ridge = curve(
            [(x, (height + _between(dice, -0.07, 0.07)) * tall) for x in (-0.1, 0.2, 0.5, 0.8, 1.1)]
        )
        canvas.cel(np.concatenate([ridge, [(1.1, tall + 0.1), (-0.1, tall + 0.1)]]), tone, (0, -0.01), 0.7)
    for x in (_between(dice, 0.04, 0.16), _between(dice, 0.84, 0.96)):
        draw_tree(canvas.at(x, 0.66 * tall, _between(dice, 0.9, 1.4)), shade(green, 0.5))


def draw_sea(canvas: Ink, tall: float, color: Color, dice: Random) -> None:
    """Draw the sea up to the horizon, with a few crests."""
    sea = np.array([(0, 0.6), (1, 0.6), (1, 1), (0, 1)]) * (1, tall)
    canvas.wash(sea, mix(rgb("#3f8fd0"), color, 0.2), mix(rgb("#8fd6e6"), color, 0.2))
    for _ in range(12):
        x, y = dice.random(), (0.63 + 0.35 * dice.random()) * tall
        canvas.stroke(bow((x, y), (x + 0.04, y - 0.012), (x + 0.08, y)), 1, WHITE, ends=(0, 0))


def draw_hatching(canvas: Ink, sitter: Portrait, tall: float, color: Color) -> None:
    """Cover the page with leaves or with hatching: dark, with light lines a quarter as wide between."""
    dark, gap = shade(mix(color, rgb("#3f7a4c"), 0.6), 1.4), 8 / sitter.width
    dice = Random(f"hatching {sitter.seed}")
    ink = replace(canvas, pen=2.0 * FINENESS)
    canvas.fill([(0, 0), (1, 0), (1, tall), (0, tall)], dark)
    leaf = blob((0, -2), (0.85, -0.6), (0.7, 0.8), (0, 2), (-0.7, 0.8), (-0.85, -0.6), steps=4)
    across, down = (9, 9) if sitter.scene == "crosshatch" else (5.2, 4.4)
    for j, i in np.ndindex(int(tall / gap / down) + 2, int(1 / gap / across) + 2):
        if sitter.scene == "crosshatch":
            tile = ink.at(i * across * gap, j * down * gap, gap, 90 * ((i + j) % 2) + _between(dice, 5, 20))
            for k in range(-4, 5):
                tile.stroke([(-4.3, k), (0, k + 0.2), (4.3, k)], 0.9, color, ends=(0.8, 0.8))
        else:
            x, y = i * across + _between(dice, -2, 2), j * down + _between(dice, -2, 2)
            twig = ink.at(x * gap, y * gap, 4 * gap, dice.random() * 360)
            twig.fill(leaf, dark)
            for size in (1, 0.68, 0.36):
                twig.outline(leaf * size, 0.9, tint(color, 0.3))
