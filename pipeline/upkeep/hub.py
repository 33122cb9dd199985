"""Upload to a repository of the Hugging Face Hub, in one commit.

Files are sent before the commit. The Hub keeps them, so that a killed upload goes on where it stopped; until
the commit nobody sees any of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, HTTPError, LocalTokenNotFoundError
from huggingface_hub.utils import disable_progress_bars, logging, validate_repo_id

from pipeline.errors import Halt
from pipeline.progress import Tick, quiet
from pipeline.shards.column import CARD_FILE, SHARD_NAME
from pipeline.shards.sums import SUMS_FILE
from pipeline.upkeep.publish import Publication

HUB_LOGIN = "log in with hf auth login, or set HF_TOKEN"
STATUS_ADVICE = {  # by status; the Hub answers 404 for a private repository of others too
    401: HUB_LOGIN,
    403: "use a token that may write there, or name another repository",
    404: "name a repository of yours, or of an organization that you belong to",
    412: "another upload came in between: run the same command again",
    429: "wait a while, then run the same command to go on",
}
LATER = "run the same command later to go on; what arrived stays there"


def check_repository(name: str) -> None:
    """Raise ValueError unless a name is OWNER/NAME, as the Hub allows it."""
    validate_repo_id(name)
    if "/" not in name:
        raise ValueError(f"a repository is OWNER/NAME, got {name!r}")


def upload_publication(publication: Publication, repository: str, public: bool, tick: Tick = quiet) -> str:
    """Upload the files and the card in one commit, and return its address; `tick` counts the bytes.

    The same commit removes shards that the repository has beyond these. Raise Halt if there is no login, if
    the repository is public and should not be, or the reverse, or if the Hub refuses or fails.
    """
    disable_progress_bars()
    logging.set_verbosity_error()
    api, kind = HfApi(), publication.kind
    with halt_on_refusal(repository):
        api.whoami()
        api.create_repo(repository, repo_type=kind, private=not public, exist_ok=True)
        info = api.dataset_info(repository) if kind == "dataset" else api.model_info(repository)
        if bool(info.private) == public:
            is_now, advice = ("private", "leave out") if public else ("public", "give")
            raise Halt(f"{repository} is {is_now}: {advice} --public, change its settings, or name another")
        present = {file.rfilename for file in info.siblings or ()}
        additions = list_additions(publication)
        total, done = sum(publication.sizes.values()), 0
        for addition in additions:
            api.preupload_lfs_files(repository, [addition], repo_type=kind, free_memory=False)
            done += publication.sizes[addition.path_in_repo]
            tick(done, total)
        stale = {name for name in present if SHARD_NAME.fullmatch(name)} - publication.sums.keys()
        commit = api.create_commit(
            repository,
            [*additions, *(CommitOperationDelete(name) for name in sorted(stale))],
            commit_message=f"Publish the {kind} with prep publish",
            repo_type=kind,
            parent_commit=info.sha,
        )
    return commit.commit_url


def list_additions(publication: Publication) -> list[CommitOperationAdd]:
    """List the files with the hashes that were verified: the Hub refuses one that has changed since."""
    additions = []
    for name, sha256 in publication.sums.items():
        addition = CommitOperationAdd(name, publication.folder / name)
        addition.upload_info.sha256 = bytes.fromhex(sha256)
        additions.append(addition)
    sums = CommitOperationAdd(SUMS_FILE, publication.folder / SUMS_FILE)
    return [*additions, sums, CommitOperationAdd(CARD_FILE, publication.card.encode())]


@contextmanager
def halt_on_refusal(repository: str) -> Iterator[None]:
    """Raise Halt, with what to do, if the Hub cannot be reached, refuses or fails in the body."""
    try:
        yield
    except LocalTokenNotFoundError:
        raise Halt(f"there is no login to upload to {repository}: {HUB_LOGIN}") from None
    except (HTTPError, OSError, RuntimeError, ValueError) as error:  # the last two wrap others, or say why
        raise Halt(describe_refusal(error, repository)) from error


def describe_refusal(error: BaseException, repository: str) -> str:
    cause = error
    while cause.__cause__ and not isinstance(cause, HfHubHTTPError):
        cause = cause.__cause__
    if isinstance(cause, HfHubHTTPError):
        status = cause.response.status_code
        said = cause.server_message or " ".join(str(error).split())
        advice = STATUS_ADVICE.get(status, LATER if status >= 500 else "do as it says, then run this again")
        return f"the Hub refuses {repository} ({status}: {said[:300]}): {advice}"
    return f"the upload to {repository} stopped ({type(cause).__name__}: {str(cause)[:300]}): {LATER}"
