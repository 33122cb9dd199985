"""The model card: the README.md of a trained model, for people and for the Hugging Face Hub.

The prose is in the Markdown file of the same name; this module adds the config of the model. Parts whose
numbers the config lacks are left out. The card does not say when or on which machine the model was trained,
and text from outside can never become markup.
"""

from pathlib import Path
from typing import Any

from pipeline.markdown import code_block, definitions, dump_yaml, inline_code, printable, table, templates
from pipeline.systems import system

MODEL_CARD_TEXT = templates(Path(__file__).with_suffix(".md"))
TASKS, PAPERS = definitions(MODEL_CARD_TEXT["tasks"]), definitions(MODEL_CARD_TEXT["papers"])
MODEL_FOLDER = "data/model"  # where the examples look for the model
REDACTED = "(left out)"
PATH_PARAMS = ("weights", "vgg", "start")  # parameters that name files of whoever trained the model


def model_card(config: dict) -> str:
    """Return the card of a model from its config."""
    parts = [model_front_matter(config), describe_model(config)]
    for field, part in {
        "parameters": describe_sizes,
        "dataset": describe_data,
        "train": describe_training,
        "validation": describe_validation,
    }.items():
        if field in config:
            parts.append(part(config))
    size = f"{config['side']} x {config['side']} pixels" if "side" in config else "one size"
    return "\n\n".join([*parts, describe_use(config), MODEL_CARD_TEXT["limits"].substitute(size=size)]) + "\n"


def public(config: dict) -> dict:
    """Return a config as it may be shown: sorted, each text on one line, without paths."""
    return {name: public_value("", value) for name, value in sorted(config.items())}


def public_value(name: str, value: Any) -> Any:
    """Return the value of a parameter as it may be shown."""
    if isinstance(value, dict):
        return {printable(inner): public_value(inner, each) for inner, each in sorted(value.items())}
    if name in PATH_PARAMS and value not in ("", "none"):
        return REDACTED
    return printable(value) if isinstance(value, str) else value


def model_front_matter(config: dict) -> str:
    """Write the metadata that the Hub reads, without a license: whoever publishes the model chooses one."""
    facts = {
        "library_name": "inkwash",
        "pipeline_tag": "image-to-image",
        "tags": ["colorization", "sketch", "line-art", "illustration", config["system"]],
    }
    return f"---\n{dump_yaml(facts)}---"


def describe_model(config: dict) -> str:
    """Say what the model does, and whose design it is."""
    name = config["system"]
    variant = f", its variant `{config['variant']}`" if name == "liu" else ""
    task = TASKS[system(name).columns[0]]
    return MODEL_CARD_TEXT["about"].substitute(system=name, task=task, variant=variant, paper=PAPERS[name])


def describe_sizes(config: dict) -> str:
    """Say how large the networks are."""
    rows = [("channels of the first convolution", config["width"] or system(config["system"]).width)]
    if config["system"] == "pix2pix":
        rows.append(("halvings", config["depth"]))
    for name, count in sorted(config["parameters"].items()):
        rows.append((f"parameters of the {name}", count))
    return MODEL_CARD_TEXT["sizes"].substitute(table=table(("what", "number"), rows))


def describe_data(config: dict) -> str:
    """Say which pictures the model has seen."""
    names = {"sketch": inline_code(config["sketch"]), "dataset": inline_code(config["dataset"])}
    text = MODEL_CARD_TEXT["data"].substitute(names, side=config["side"])
    if columns := public(config)["columns"]:
        text += "\n\n" + MODEL_CARD_TEXT["columns"].substitute(yaml=code_block("yaml", dump_yaml(columns)))
    return text


def describe_training(config: dict) -> str:
    """Say by which parameters the model was trained, and whether the losses compared features."""
    text = [
        MODEL_CARD_TEXT["training"].substitute(yaml=code_block("yaml", dump_yaml(public(config)["train"])))
    ]
    if config.get("start"):
        text += [MODEL_CARD_TEXT["start"].substitute(start=inline_code(config["start"]))]
    if net := system(config["system"]).vgg:
        text += [describe_perceptual(net, config["train"]["vgg"])]
    return "\n\n".join(text)


def describe_perceptual(net: str, file: str) -> str:
    """Say whether, and by whose features, the perceptual terms of the loss were trained."""
    if file == "none":
        return MODEL_CARD_TEXT["not perceptual"].substitute(net=net)
    origin = "a file of whoever trained it" if file else "torchvision, trained on ImageNet"
    return MODEL_CARD_TEXT["perceptual"].substitute(net=net, origin=origin)


def describe_validation(config: dict) -> str:
    """Say what the validation measured."""
    step, psnr, l1 = (config["validation"][name] for name in ("step", "val_psnr", "val_l1"))
    return MODEL_CARD_TEXT["validation"].substitute(step=f"{step:,}", psnr=f"{psnr:.2f}", l1=f"{l1:.4f}")


def guide_name(config: dict) -> str:
    """Return the name of the guide; "" for a model that was trained only with white cues."""
    name = system(config["system"]).columns[0]
    without = name == "cue" and config.get("columns", {}).get("cue", {}).get("method") == "none"
    return "" if without else name


def describe_use(config: dict) -> str:
    """Show how to color pictures: by the command, in Python, and without inkwash."""
    name = guide_name(config)
    option = f" --{name} {name}.png" if name else ""
    guides = f'{{"{name}": Path("{name}.png")}}' if name else "{}"
    return MODEL_CARD_TEXT["use"].substitute(folder=MODEL_FOLDER, option=option, guides=guides)
