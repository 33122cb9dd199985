"""A packed dataset or a model -> a repository of the Hugging Face Hub."""

from pathlib import Path
from typing import Annotated

import typer

from stages.arguments import progress, say
from stages.options import usage_errors


def publish(
    folder: Annotated[Path, typer.Argument(help="The folder of the packed dataset, or of a model.")],
    repository: Annotated[str, typer.Argument(help="OWNER/NAME; it is made if need be.")],
    yes: Annotated[bool, typer.Option("--yes", help="Upload; without it, only say what would go.")] = False,
    public: Annotated[bool, typer.Option("--public", help="Show the repository to everyone.")] = False,
    report: Annotated[
        Path, typer.Option(help="The report of evaluate, for the header of a model's card.")
    ] = Path("metrics/evaluate_report.json"),
) -> None:
    """Upload a packed dataset or a model with its card to the Hugging Face Hub, once --yes is given.

    Every file is compared with its SHA-256 first. An interrupted upload goes on where it stopped.
    """
    from huggingface_hub import constants

    from pipeline.upkeep.hub import check_repository, upload_publication
    from pipeline.upkeep.publish import read_publication

    with usage_errors():
        check_repository(repository)
    with progress("verify", "file") as tick:
        publication = read_publication(folder, report, tick)
    sizes = publication.sizes
    for name, size in sizes.items():
        say(f"{size:>15,}  {name}")
    total = f"{len(sizes)} files, {sum(sizes.values()) / 1e6:.1f} MB"
    where = f"the {'public' if public else 'private'} repository {repository} on {constants.ENDPOINT}"
    say(f"publish: the {publication.kind} {folder}: {total}, to {where}")
    say(f"publish: license in the header of the card: {publication.license or 'none'}")
    if publication.kind == "model":
        without = f"no measures, since {report} is missing or of another model"
        say(f"publish: {f'measures from {report}' if publication.measured else without}")
    if not yes:
        say("publish: nothing was sent; --yes uploads it, in one commit that also removes other shards there")
        return
    with progress("publish", "B") as tick:
        address = upload_publication(publication, repository, public, tick)
    say(f"publish: {address}")
