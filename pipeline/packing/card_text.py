"""The prose of the dataset card, from card.md, and the parts of the card that are almost all prose."""

from pathlib import Path

from pipeline.markdown import rank_counts, templates
from pipeline.packing.census import HUB_SPLITS, Census

TERMS_TEXT = templates(Path(__file__).with_name("card.md"))
DATASET_FOLDER = "data/pairs"  # where the examples look for the dataset


def loading_text(census: Census) -> list[str]:
    """Show how webdataset, Hugging Face `datasets` and inkwash read the dataset."""
    files = [f'        "{HUB_SPLITS[name]}": "{DATASET_FOLDER}/{name}-*.tar",' for name in census.present]
    text = [
        TERMS_TEXT["loading"].substitute(
            folder=DATASET_FOLDER,
            first=census.columns[0],
            names=", ".join(f'"{name}"' for name in census.columns),
            data_files="\n".join(files),
        )
    ]
    sketches = [name.removeprefix("sketch-") for name in census.columns if name.startswith("sketch-")]
    if sketches and {"color", "cue"} <= set(census.columns):
        text += [TERMS_TEXT["loading tensors"].substitute(folder=DATASET_FOLDER, sketch=sketches[0])]
    return text


def rights(census: Census, own: bool) -> str:
    """Say what may not be done with the dataset, and what to do when an artist objects.

    `own` pictures are those that inkwash draws itself.
    """
    if own:
        return TERMS_TEXT["own pictures"].substitute()
    return TERMS_TEXT["artists' pictures"].substitute(
        licenses=licenses(census), audience=audience_text(census)
    )


def licenses(census: Census) -> str:
    """Say what the licenses that the sources give mean for users of the dataset."""
    unknown, known = census.licenses["unknown"], census.licenses.keys() - {"unknown"}
    text = []
    if unknown:
        text += [TERMS_TEXT["license unknown"].substitute(count=f"{unknown:,}", total=f"{len(census):,}")]
    if known:
        named = rank_counts({name: census.licenses[name] for name in known}, 15)
        text += [TERMS_TEXT["licenses given"].substitute(licenses=named)]
    return "\n\n".join(text)


def audience_text(census: Census) -> str:
    """Say what the ratings mean for who may see the pictures."""
    text = TERMS_TEXT["ratings"].substitute()
    if adult := adult_pictures(census):
        text = TERMS_TEXT["adult ratings"].substitute(count=f"{adult:,}")
    if census.ratings["s"]:
        text += " " + TERMS_TEXT["sensitive ratings"].substitute()
    return text


def adult_pictures(census: Census) -> int:
    """Count the pictures that are rated questionable or explicit."""
    return census.ratings["q"] + census.ratings["e"]
