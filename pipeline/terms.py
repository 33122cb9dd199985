"""The prose of the dataset card, from card.md, and the parts of the card that are almost all prose."""

from pathlib import Path

from pipeline.census import SPLITS, Census
from pipeline.markdown import listing, templates

TEXT = templates(Path(__file__).with_name("card.md"))
FOLDER = "data/pairs"  # where the examples look for the dataset


def loading(census: Census) -> list[str]:
    """Show how webdataset, Hugging Face `datasets` and inkwash read the dataset."""
    files = [f'        "{SPLITS[name]}": "{FOLDER}/{name}-*.tar",' for name in census.present]
    text = [
        TEXT["loading"].substitute(
            folder=FOLDER,
            first=census.columns[0],
            names=", ".join(f'"{name}"' for name in census.columns),
            data_files="\n".join(files),
        )
    ]
    sketches = [name.removeprefix("sketch-") for name in census.columns if name.startswith("sketch-")]
    if sketches and {"color", "cue"} <= set(census.columns):
        text += [TEXT["loading tensors"].substitute(folder=FOLDER, sketch=sketches[0])]
    return text


def rights(census: Census, own: bool) -> str:
    """Say what may not be done with the dataset, and what to do when an artist objects.

    `own` pictures are those that inkwash draws itself.
    """
    if own:
        return TEXT["own pictures"].substitute()
    return TEXT["artists' pictures"].substitute(licenses=licenses(census), audience=audience(census))


def licenses(census: Census) -> str:
    """Say what the licenses that the sources give mean for users of the dataset."""
    unknown, known = census.licenses["unknown"], census.licenses.keys() - {"unknown"}
    text = []
    if unknown:
        text += [TEXT["license unknown"].substitute(count=f"{unknown:,}", total=f"{len(census):,}")]
    if known:
        named = listing({name: census.licenses[name] for name in known}, 15)
        text += [TEXT["licenses given"].substitute(licenses=named)]
    return "\n\n".join(text)


def audience(census: Census) -> str:
    """Say what the ratings mean for who may see the pictures."""
    text = TEXT["ratings"].substitute()
    if adult := adult_pictures(census):
        text = TEXT["adult ratings"].substitute(count=f"{adult:,}")
    if census.ratings["s"]:
        text += " " + TEXT["sensitive ratings"].substitute()
    return text


def adult_pictures(census: Census) -> int:
    """Count the pictures that are rated questionable or explicit."""
    return census.ratings["q"] + census.ratings["e"]
