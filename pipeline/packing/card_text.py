"""The prose of the dataset card, from card.md, and the parts of the card that are mostly prose."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.markdown import definitions, rank_counts, templates
from pipeline.packing.census import HUB_SPLITS, Census, host_of

CARD_TEXT = templates(Path(__file__).with_name("card.md"))
DATASET_FOLDER = "data/pairs"  # where the examples of the card look for the dataset
SOURCE_NAMES = definitions(CARD_TEXT["sources"])


def describe_dataset(census: Census, params: Mapping[str, dict]) -> str:
    side = params.get("clean", {}).get("side")
    origin = describe_source(params)
    return CARD_TEXT["about"].substitute(
        count=f"{len(census):,}",
        size=f" of {side} x {side} pixels" if side else "",
        origin=f" The originals come from {origin}." if origin else "",
        number=len(census.columns),
        columns=", ".join(f"`{name}`" for name in census.columns),
    )


def describe_source(params: Mapping[str, dict]) -> str:
    """Say where the originals come from without naming a path or a machine; "" if it is not known."""
    host = str(params.get("search", {}).get("host", ""))
    kind = host.partition(":")[0]
    if kind in ("http", "https"):
        return f"`{host_of(host)}`" if host_of(host) else "a site without a public name"
    return SOURCE_NAMES.get(kind, "a folder of pictures") if host else ""


def is_own(census: Census, params: Mapping[str, dict]) -> bool:
    """Return whether inkwash drew the pictures itself."""
    return params.get("search", {}).get("host") == "sample" and set(census.hosts) <= {""}


def loading_text(census: Census) -> list[str]:
    """Show how webdataset, Hugging Face `datasets` and inkwash read the dataset."""
    files = [f'        "{HUB_SPLITS[name]}": "{DATASET_FOLDER}/{name}-*.tar",' for name in census.present]
    names = ", ".join(f'"{name}"' for name in census.columns)
    fields = {"folder": DATASET_FOLDER, "first": census.columns[0], "names": names}
    text = [CARD_TEXT["loading"].substitute(fields, data_files="\n".join(files))]
    sketches = [name.removeprefix("sketch-") for name in census.columns if name.startswith("sketch-")]
    if sketches and {"color", "cue"} <= set(census.columns):
        text += [CARD_TEXT["loading tensors"].substitute(folder=DATASET_FOLDER, sketch=sketches[0])]
    return text


def rights(census: Census, own: bool) -> str:
    """Say what may not be done with the dataset, and what to do when an artist objects.

    `own` pictures are those that inkwash draws itself.
    """
    if own:
        return CARD_TEXT["own pictures"].substitute()
    terms, audience = license_terms(census), audience_text(census)
    return CARD_TEXT["artists' pictures"].substitute(licenses=terms, audience=audience)


def license_terms(census: Census) -> str:
    """Say what users of the dataset may do under the licenses that the sources give."""
    unknown = census.licenses["unknown"]
    known = {name: count for name, count in census.licenses.items() if name != "unknown"}
    text = []
    if unknown:
        text += [CARD_TEXT["license unknown"].substitute(count=f"{unknown:,}", total=f"{len(census):,}")]
    if known:
        text += [CARD_TEXT["licenses given"].substitute(licenses=rank_counts(known, 15))]
    return "\n\n".join(text)


def audience_text(census: Census) -> str:
    """Say who may see the pictures, by their ratings."""
    text = CARD_TEXT["ratings"].substitute()
    if adult := adult_pictures(census):
        text = CARD_TEXT["adult ratings"].substitute(count=f"{adult:,}")
    if census.ratings["s"]:
        text += " " + CARD_TEXT["sensitive ratings"].substitute()
    if unrated := census.ratings["unknown"]:
        text += " " + CARD_TEXT["unknown ratings"].substitute(count=f"{unrated:,}")
    return text


def adult_pictures(census: Census) -> int:
    """Count the pictures that are rated questionable or explicit."""
    return census.ratings["q"] + census.ratings["e"]
