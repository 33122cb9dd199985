"""The model card: the README.md of a trained model, for people and for the Hugging Face Hub.

The prose is in the Markdown file of the same name; this module adds the config of the model, and leaves out
the parts whose numbers the config lacks. The card does not say when or on which machine the model was
trained, and text from outside can never become markup.
"""

from pathlib import Path
from typing import Any

from pipeline.markdown import code_block, definitions, dump_yaml, inline_code, printable, table, templates
from pipeline.systems import System, system

MODEL_CARD_TEXT = templates(Path(__file__).with_suffix(".md"))
TASKS, PAPERS = definitions(MODEL_CARD_TEXT["tasks"]), definitions(MODEL_CARD_TEXT["papers"])
MODEL_FOLDER = "data/model"  # where the examples look for the model
REDACTED = "(left out)"
PATH_PARAMS = ("weights", "vgg", "start")  # parameters that name private files


def model_card(config: dict) -> str:
    parts = [model_front_matter(config), describe_model(config)]
    sections = {"parameters": describe_sizes, "dataset": describe_data, "train": describe_training}
    sections |= {"validation": describe_validation}
    parts += [describe(config) for field, describe in sections.items() if field in config]
    size = f"{config['side']} x {config['side']} pixels" if "side" in config else "one size"
    return "\n\n".join([*parts, describe_use(config), MODEL_CARD_TEXT["limits"].substitute(size=size)]) + "\n"


def public(config: dict) -> dict:
    """Return a config that may be published: sorted, each text on one line, without paths."""
    return {name: public_value("", value) for name, value in sorted(config.items())}


def public_value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {printable(inner): public_value(inner, each) for inner, each in sorted(value.items())}
    if name in PATH_PARAMS and value not in ("", "none"):
        return REDACTED
    return printable(value) if isinstance(value, str) else value


def model_front_matter(config: dict) -> str:
    """Write the metadata that the Hub reads, without a license, which the publisher of the model chooses."""
    metadata = {
        "library_name": "inkwash",
        "pipeline_tag": "image-to-image",
        "tags": ["colorization", "sketch", "line-art", "illustration", config["system"]],
    }
    return f"---\n{dump_yaml(metadata)}---"


def option_name(kind: System) -> str:
    """Return the option of `prep colorize` that names the first guide of a system."""
    return "mask" if kind.guides[0] == "gray" else kind.guides[0]


def describe_model(config: dict) -> str:
    name = config["system"]
    variant = f", its variant `{config['variant']}`" if name == "liu" else ""
    task = TASKS[system(name).columns[0]]
    return MODEL_CARD_TEXT["about"].substitute(system=name, task=task, variant=variant, paper=PAPERS[name])


def describe_sizes(config: dict) -> str:
    rows = [("channels of the first convolution", config["width"] or system(config["system"]).width)]
    if config["system"] == "pix2pix":
        rows.append(("halvings", config["depth"]))
    for name, count in sorted(config["parameters"].items()):
        rows.append((f"parameters of the {name}", count))
    text = MODEL_CARD_TEXT["sizes"].substitute(table=table(("what", "number"), rows))
    if "discriminator" not in config["parameters"]:
        return text
    return text + "\n\n" + MODEL_CARD_TEXT["discriminator"].substitute()


def describe_data(config: dict) -> str:
    names = {"sketch": inline_code(config["sketch"]), "dataset": inline_code(config["dataset"])}
    text = MODEL_CARD_TEXT["data"].substitute(names, side=config["side"])
    if columns := public(config)["columns"]:
        text += "\n\n" + MODEL_CARD_TEXT["columns"].substitute(yaml=code_block("yaml", dump_yaml(columns)))
    return text


def describe_training(config: dict) -> str:
    """Give the parameters of training, and say whether the losses compared features."""
    params = code_block("yaml", dump_yaml(public(config)["train"]))
    text = [MODEL_CARD_TEXT["training"].substitute(yaml=params)]
    if config.get("start"):
        text += [MODEL_CARD_TEXT["start"].substitute(start=inline_code(config["start"]))]
    if net := system(config["system"]).vgg:
        text += [describe_perceptual(net, config["train"]["vgg"])]
    return "\n\n".join(text)


def describe_perceptual(net: str, file: str) -> str:
    if file == "none":
        return MODEL_CARD_TEXT["not perceptual"].substitute(net=net)
    origin = "a file of whoever trained it" if file else "torchvision, trained on ImageNet"
    return MODEL_CARD_TEXT["perceptual"].substitute(net=net, origin=origin)


def describe_validation(config: dict) -> str:
    step, psnr, l1 = (config["validation"][name] for name in ("step", "val_psnr", "val_l1"))
    return MODEL_CARD_TEXT["validation"].substitute(step=f"{step:,}", psnr=f"{psnr:.2f}", l1=f"{l1:.4f}")


def describe_use(config: dict) -> str:
    """Show how to color pictures: by the command, in Python, and by ONNX without inkwash."""
    name = option_name(system(config["system"]))
    option, guides = f" --{name} {name}.png", f'{{"{name}": Path("{name}.png")}}'
    if name == "cue" and config.get("columns", {}).get("cue", {}).get("method") == "none":
        option, guides = "", "{}"  # it was trained with white cues alone
    return MODEL_CARD_TEXT["use"].substitute(folder=MODEL_FOLDER, option=option, guides=guides)
