"""The parts of a dataset card that are text for the most part: how to load it, and what may not be done."""

from pipeline.census import SPLITS, Census
from pipeline.markdown import fenced, listing

FOLDER = "data/pairs"  # where the snippets look for the dataset


WEBDATASET = """
from glob import glob
from io import BytesIO

import webdataset as wds
from PIL import Image


def open_picture(name, data):
    return Image.open(BytesIO(data)) if name.endswith(".png") else None


shards = sorted(glob("FOLDER/train-*.tar"))
dataset = wds.WebDataset(shards, shardshuffle=False, empty_check=False).decode(open_picture)
for sample in dataset:
    print(sample["__key__"], sample["json"].get("tags"), sample["FIRST.png"].size)
    break
"""
HUB = """
from datasets import Features, Image, Json, Value, load_dataset

columns = {"__key__": Value("string"), "__url__": Value("string"), "json": Json()}
for name in COLUMNS:
    columns[f"{name}.png"] = Image()
dataset = load_dataset(
    "webdataset",
    data_files={
FILES
    },
    features=Features(columns),
)
for sample in dataset["train"]:
    print(sample["__key__"], sample["json"].get("tags"), sample["FIRST.png"].size)
    break
"""
OURS = """
from pathlib import Path

from pipeline.dataset import Pairs

dataset = Pairs(Path("FOLDER"), split="train", sketch="SKETCH")
for sample in dataset:
    print(sample["key"], sample["sketch"].shape, sample["cue"].shape, sample["color"].shape)
    break
"""
LOADING = f"""
## How to load it

Each of these looks for the dataset in `{FOLDER}` and shows the first training sample. Other splits are read
alike.

With [webdataset](https://github.com/webdataset/webdataset). The workers of a `DataLoader` share the shards:
more of them than shards are of no use, but raise no error thanks to `empty_check=False`.

WEBDATASET

With Hugging Face [`datasets`](https://github.com/huggingface/datasets), 4.7 or newer.
`load_dataset("{FOLDER}")` finds the splits too, but drops what the JSON of the first samples does not have.

HUB
"""
CHECKING = f"""
## How to check it

`prep verify {FOLDER}` compares every byte with `seal.json` and `index.tsv`, which lie beside the shards. Do
so with every copy: most readers take a shard that was cut off for a shorter one."""


def loading(census: Census) -> str:
    """Show how the dataset is read by webdataset, by Hugging Face `datasets` and by inkwash."""
    sketches = [name.removeprefix("sketch-") for name in census.columns if name.startswith("sketch-")]
    text = LOADING.replace("WEBDATASET", fenced("python", WEBDATASET)).replace("HUB", fenced("python", HUB))
    if sketches and {"color", "cue"} <= set(census.columns):
        text += (
            "\nWith inkwash, as tensors of bytes; `pipeline.feed.once` makes batches in [-1, 1] of them.\n\n"
            + fenced("python", OURS).replace("SKETCH", sketches[0])
        )
    names = ", ".join(f'"{name}"' for name in census.columns)
    files = "\n".join(f'        "{SPLITS[name]}": "FOLDER/{name}-*.tar",' for name in census.present)
    given = {"COLUMNS": f"[{names}]", "FILES": files, "FIRST": census.columns[0], "FOLDER": FOLDER}
    for name, value in given.items():
        text = text.replace(name, value)
    return text


OWN = """
## What may not be done

inkwash drew these pictures itself. They are the project's own work: no artist's rights are touched, and the
names, tags, ratings and scores are made up. They serve to try things out and to compare programs. Do not pass
them off as drawn by hand, nor judge by them what a network would do with the work of artists."""

LIMITS = """
## What may not be done

The illustrations belong to their artists, whose rights reach to all that was made of them here: crops,
sketches, cues and references. This card grants no license, nor can anyone who packs the dataset or passes it
on; that a site shows a picture is no permission either.

PERMISSION

Do not

- publish, sell or pass on the pictures or these shards where the artists, their licenses or the terms of the
  site that they come from do not allow it;
- imitate a named artist: names are here for credit and for removal, not as labels, prompts or styles on
  offer; nor present what a network makes as the work of one of them;
- make sexual pictures of minors, of anyone who looks like one, or of real people, with these pictures or with
  a network trained on them;
- harass, deceive or identify anybody with them;
- take tags and ratings for facts: people gave them, and err.

AUDIENCE

Whether you may train on these pictures depends on the law where you are. To find that out is up to you; this
card is no legal advice.

### When an artist objects

An artist who wants a picture out need give no reason. `prep forget ID artist:NAME` takes pictures out of the
project for good; `dvc repro` then packs what is left and writes a new card. Publish that, delete earlier
copies, and tell those who have one. A network that was trained before has still seen the pictures."""


def limits(census: Census, own: bool) -> str:
    """Say what may not be done with the dataset, and what is done when an artist objects.

    `own` pictures are those that inkwash draws itself.
    """
    text = LIMITS.replace("AUDIENCE", audience(census)).replace("PERMISSION", permission(census))
    return OWN if own else text


def permission(census: Census) -> str:
    """Say what the licenses that the sources tell mean for who uses the dataset."""
    unknown, known = census.licenses["unknown"], census.licenses.keys() - {"unknown"}
    text = []
    if unknown:
        text += [
            f"Of {unknown:,} of the {len(census):,} pictures no license is known. Without the artist's "
            "permission, or an exception that your law makes, you may not use them."
        ]
    if known:
        licensed = listing({name: census.licenses[name] for name in known}, 15)
        text += [
            f"The sources tell these licenses: {licensed}. Each holds for the samples whose JSON tells it. "
            "Where it asks for that, name artist and source; keep to its terms on changes and commerce."
        ]
    return "\n\n".join(text)


def audience(census: Census) -> str:
    """Say what the ratings mean for who may see the pictures."""
    adult = census.ratings["q"] + census.ratings["e"]
    text = "Ratings are for you to check before you show the pictures to children."
    if adult:
        text = f"Rated questionable or explicit are {adult:,} pictures: keep them from minors."
    if census.ratings["s"]:
        text += " `s` is sensitive, but in collections from before 2022 it is safe."
    return text
