"""The config of a model -> its model card: the README.md beside the weights, for people and for the Hub.

Parts whose numbers the config lacks are left out. The card does not say when or on which machine the model
was trained, and no text from outside can become anything but text.
"""

from typing import Any

from pipeline.markdown import code, dump, fenced, seen, table
from pipeline.systems import system

FOLDER = "data/model"  # where the examples look for the model
HIDDEN = "(left out)"
PATHS = ("weights", "vgg", "start")  # parameters that name files of whoever trained
PAPERS = {
    "pix2pix": "Isola et al., *Image-to-Image Translation with Conditional Adversarial Networks*, CVPR 2017, "
    "with a color cue beside the sketch",
    "nerk": "Nerk, *Generative Exemplar Based Face Sketch Colorization Using Attention for Color Transfer*, "
    "2022, a repository without a paper",
    "liu": "Liu et al., *Reference-guided structure-aware deep sketch colorization for cartoons*, "
    "Computational Visual Media 2022",
    "scft": "Lee et al., *Reference-Based Sketch Image Colorization using Augmented-Self Reference and Dense "
    "Semantic Correspondence*, CVPR 2020",
    "mask": "*Partial colorization with masks*, IMPA 2018",
}
TASKS = {
    "cue": "colors a sketch by a cue: any picture whose colors are where they belong",
    "reference": "colors a sketch after a reference: a picture whose colors it takes",
    "mask": "colors a gray picture within a mask, and leaves it gray outside",
}
COLORIZE = "from pipeline.painting import colorize"
SNIPPET = f"""
from pathlib import Path

from pipeline import images
from pipeline.colorize import load
{COLORIZE}

colorizer = load(Path("{FOLDER}"), GUIDE)
sketch = images.decode(Path("sketch.png").read_bytes())
picture = colorize(colorizer.generator, colorizer.config, colorizer.given(sketch))
Path("picture.png").write_bytes(images.encode(picture))
"""


def model_card(config: dict) -> str:
    """Write the card of a model from its config."""
    known = (part(config) for name, part in PARTS.items() if name in config)
    parts = (header(config), about(config), *known, use(config), limits(config))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def public(config: dict) -> dict:
    """Return a config as it may be shown: sorted, each text on one line, without paths."""
    return {name: public_value("", value) for name, value in sorted(config.items())}


def public_value(name: str, value: Any) -> Any:
    """Return the value of a parameter as it may be shown."""
    if isinstance(value, dict):
        return {seen(inner): public_value(inner, each) for inner, each in sorted(value.items())}
    if name in PATHS and value not in ("", "none"):
        return HIDDEN
    return seen(value) if isinstance(value, str) else value


def header(config: dict) -> str:
    """Write the metadata that the Hub reads, without a license: whoever publishes the model chooses one."""
    facts = {
        "library_name": "inkwash",
        "pipeline_tag": "image-to-image",
        "tags": ["colorization", "sketch", "line-art", "illustration", config["system"]],
    }
    return f"---\n{dump(facts)}---"


def about(config: dict) -> str:
    """Say what the model does, and whose design it is."""
    name = config["system"]
    variant = f", its variant `{config['variant']}`" if name == "liu" else ""
    return f"""
# {name}, a colorizer

This network {TASKS[system(name).columns[0]]}. inkwash trained it. Its design is `{name}`{variant}:
{PAPERS[name]}."""


def sizes(config: dict) -> str:
    """Say how large the networks are."""
    rows = [("channels of the first convolution", config["width"] or system(config["system"]).width)]
    if config["system"] == "pix2pix":
        rows.append(("halvings", config["depth"]))
    for name, count in sorted(config["parameters"].items()):
        rows.append((f"parameters of the {name}", count))
    return f"## How large it is\n\n{table(('what', 'number'), rows)}\n\nThe discriminator is not in the file."


def data(config: dict) -> str:
    """Say which pictures the model has seen."""
    side, sketch, columns = config["side"], code(config["sketch"]), public(config)["columns"]
    text = f"""
## What it was trained on

Pictures of {side} x {side} pixels, and their sketches {sketch}, of the packed dataset with the fingerprint
{code(config["dataset"])}."""
    if columns:
        text += " Its columns were made with these parameters:\n\n" + fenced("yaml", dump(columns))
    return text


def trained(config: dict) -> str:
    """Say by which parameters it was trained, and whether the losses compared features."""
    text = ["## How it was trained", fenced("yaml", dump(public(config)["train"]))]
    if config.get("start"):
        text += [f"It began as the model whose weights have the SHA-256 {code(config['start'])}."]
    if net := system(config["system"]).vgg:
        text += [perceptual(net, config["train"]["vgg"])]
    return "\n\n".join(text)


def perceptual(net: str, file: str) -> str:
    """Say whether, and by whose features, the perceptual terms of the loss were trained."""
    if file == "none":
        return (
            f"**The perceptual terms of the loss, which compare features of {net}, were not trained.** The "
            "published model has them: do not compare this one with it."
        )
    whose = "a file of whoever trained it" if file else "torchvision, trained on ImageNet"
    return f"The perceptual terms of the loss compared features of {net}, with the weights of {whose}."


def validated(config: dict) -> str:
    """Say what the validation measured."""
    step, psnr, l1 = (config["validation"][name] for name in ("step", "val_psnr", "val_l1"))
    return f"""
## What it is worth

On the validation split after {step:,} steps: a PSNR of {psnr:.2f} dB, and an L1 of {l1:.4f} between values in
[-1, 1]. `prep evaluate` measures it on the test split, beside baselines that need no model."""


PARTS = {"parameters": sizes, "dataset": data, "train": trained, "validation": validated}


def guide(config: dict) -> str:
    """Name the guide of the model; "" for one that was trained with white cues alone."""
    name = system(config["system"]).columns[0]
    without = name == "cue" and config.get("columns", {}).get("cue", {}).get("method") == "none"
    return "" if without else name


def use(config: dict) -> str:
    """Show how to color pictures: by the command, in Python, and without inkwash."""
    name = guide(config)
    option = f" --{name} {name}.png" if name else ""
    commands = (
        f"prep colorize sketch.png out --model {FOLDER}{option}",
        f"prep export {FOLDER} model.onnx  # for ONNX Runtime, from any language",
    )
    given = f'{{"{name}": Path("{name}.png")}}' if name else "{}"
    return f"""
## How to use it

A sketch may be of any size; its guide is fitted to it.

{fenced("bash", chr(10).join(commands))}

{fenced("python", SNIPPET.replace("GUIDE", given))}"""


def limits(config: dict) -> str:
    """Say what the model is not for."""
    size = f"{config['side']} x {config['side']} pixels" if "side" in config else "one size"
    return f"""
## What it is not for

- **Other pictures.** It has seen pictures of {size} from one dataset, with sketches that a program drew. Much
  larger pictures, other kinds of lines and other subjects come out worse, without a warning.
- **Exact colors.** Colors leak through gaps in the lines and into the area beside. Nothing ensures that an
  area gets one color, or the color that was meant: look at the result before it is used.
- **What the dataset is not for.** The pictures that it learned from belong to their artists. What the card of
  the dataset says may not be done with them holds for this network and for what it makes.

This card grants no license for the model; whoever publishes it must be allowed to, and choose one."""
