"""The vocabulary of the artist: words, each with its color, its parts or its Danbooru tags.

{hair}, {eye}, {clothes}, {trim}, {accent} and {scene} in a tag stand for the name of that color.
"""

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
BANGS = {
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
    "": "", "scarf": "scarf {accent}_scarf", "choker": "choker", "necklace": "necklace jewelry pendant",
}  # fmt: skip
STAFFS = {
    "": "", "orb": "staff holding_staff orb", "moon": "staff holding_staff", "star": "staff holding_staff",
}  # fmt: skip
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
