"""Results that take longer than a request may: computed in threads, while the page hears how far they are."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, cast

from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipeline.studio.safety import answer_json
from pipeline.studio.state import Made, Studio

Say = Callable[[str], None]


class Busy(Exception):
    """A result is being computed; the message is a sentence that says how far it is."""


class Stopped(Exception):
    """Nobody waits for a result any more."""


class Job(Generic[Made]):
    """A computation in a thread of its own, which says in a sentence how far it is."""

    def __init__(self, compute: Callable[[Say], Made]):
        self.progress = "The studio begins to read."
        self.result: Made | None = None
        self.error: Exception | None = None
        self.stopped = False

        def say(sentence: str) -> None:
            if self.stopped:
                raise Stopped
            self.progress = sentence

        def run() -> None:
            try:
                self.result = compute(say)
            except Exception as error:
                self.error = error

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()


class Background(Generic[Made]):
    """Computes results in threads and holds the last few."""

    def __init__(self, held: int):
        self.held, self.lock = held, threading.Lock()
        self.jobs: OrderedDict[object, Job[Made]] = OrderedDict()

    def __contains__(self, key: object) -> bool:
        return key in self.jobs

    def get(self, key: object, compute: Callable[[Say], Made]) -> Made:
        """Return the result of a key. Raise Busy while it is computed, which begins now, or its own error.

        `compute` gets a function to call with a sentence that says how far it is. An error is raised once;
        the next call computes again.
        """
        with self.lock:
            job = self.jobs.get(key) or Job(compute)
            self.jobs[key] = job
            self.jobs.move_to_end(key)
            while len(self.jobs) > self.held:
                self.jobs.popitem(last=False)[1].stopped = True
        job.thread.join(0.2)  # seconds: a small dataset is ready before the page could ask again
        if job.thread.is_alive() or job.stopped:
            raise Busy(job.progress)
        if job.error:
            self.jobs.pop(key, None)
            raise job.error
        return cast(Made, job.result)

    def stop(self, key: object) -> None:
        """Stop computing a result the next time that it says how far it is; one that is there stays."""
        job = self.jobs.get(key)
        if job and job.thread.is_alive():
            job.stopped = True
            self.jobs.pop(key, None)


async def answer_when_ready(studio: Studio, work: Callable[..., Any], *given: Any) -> Response:
    """Answer with what `work` returns, or with the status 202 and a sentence while it is being computed."""
    try:
        return answer_json(await studio.run(work, *given))
    except Busy as busy:
        return answer_json({"busy": str(busy)}, 202)
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
