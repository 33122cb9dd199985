"""Units of work in the workers of a Ray cluster. Ray is an optional package, imported only when it is used.

A worker may be on another machine that has another release of this program or of a library, whose results
would differ. So it first compares a hash of the step and its code with that of the caller. Work is pickled
here and not by Ray, so that a machine that cannot unpickle it can say why in our words.
"""

import hashlib
import logging
import os
import pickle
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.codehash import code_hashes
from pipeline.errors import Halt
from pipeline.memory import THREAD_VARIABLES, prepare_process
from pipeline.run.processes import UNITS_PER_WORKER

if TYPE_CHECKING:  # it imports NumPy, which a worker may only do after `unpack_order` has limited its threads
    from pipeline.run.step import Transform

RETRIES = 3  # of a unit whose worker was lost
CLUSTER_TIMEOUT = 5  # seconds to wait for a cluster to answer, or to end work; Ray would wait for minutes
OTHER_CODE = (
    "{} has another inkwash, or other libraries: install the same on every machine of the Ray cluster"
)


def spread_on_cluster(work: Callable, units: list, workers: int, step: "Transform") -> Generator:
    """Yield `work(unit)` for each unit in order, computed by all cores of a cluster.

    The cluster is that of RAY_ADDRESS, or one that `ray start` has started here, or else a new one of
    `workers` processes that ends with the work. A unit whose worker is lost is computed again. Raise Halt if
    the cluster cannot be joined or has other code, or if a unit kills every worker.
    """
    ray = import_ray()
    with joined_cluster(ray, workers):
        order = ray.put(pickle.dumps((sign_step(step), step, work)))
        send = ray.remote(max_retries=RETRIES)(worker_function()).remote
        waiting: deque[Any] = deque()
        try:
            for unit in units:
                waiting.append(send(order, pickle.dumps(unit)))
                if len(waiting) > UNITS_PER_WORKER * count_cores(ray):
                    yield wait_for_result(ray, waiting.popleft())
            while waiting:
                yield wait_for_result(ray, waiting.popleft())
        finally:
            cancel_units(ray, [*waiting])


def import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    import ray

    return ray


@contextmanager
def joined_cluster(ray: Any, workers: int) -> Iterator[None]:
    """Join a cluster, or start one, for the body; stay in the one that the caller has joined."""
    if ray.is_initialized():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        join_cluster(ray, workers)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray has set its own
        yield
    finally:
        ray.shutdown()


def join_cluster(ray: Any, workers: int) -> None:
    """Join the running cluster, or start one. Raise Halt if it cannot be joined."""
    address = os.environ.get("RAY_ADDRESS", "")
    quiet = partial(ray.init, logging_level=logging.ERROR, log_to_driver=False)
    try:
        check_listening(address)
        try:
            quiet(num_cpus=workers, include_dashboard=False)
        except ValueError:  # there is a cluster, whose machines count their own cores
            quiet()
    except (OSError, RuntimeError, ValueError) as error:
        raise Halt(
            f"the Ray cluster {address or 'of this machine'} cannot be joined ({error}): start it, or another"
            " with `ray start --head`, or unset RAY_ADDRESS"
        ) from error


def check_listening(address: str) -> None:
    """Raise OSError or ValueError if nothing listens at a given address."""
    if address not in ("", "auto", "local"):
        parts = urlsplit(address if "://" in address else f"//{address}")
        socket.create_connection((parts.hostname, parts.port), CLUSTER_TIMEOUT).close()


def count_cores(ray: Any) -> int:
    """Count the cores of the cluster now: machines come and go."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def wait_for_result(ray: Any, unit: Any) -> Any:
    """Return the result of a unit. Raise the exception of the worker, or Halt if Ray gave up."""
    try:
        return ray.get(unit)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ImportError) and error.cause.name in ("inkwash", "pipeline", __name__):
            raise Halt(OTHER_CODE.format(error.ip)) from error
        raise error.cause from error
    except ray.exceptions.RayError as error:
        reason = str(error).strip().partition("\n")[0]
        raise Halt(
            f"a worker was lost {RETRIES + 1} times over the same pictures, perhaps for want of memory"
            f" ({reason}): run again with fewer cores a machine"
        ) from error


def cancel_units(ray: Any, units: list) -> None:
    """Cancel units; again and again, because Ray may take a canceled one for lost and restart it."""
    for _ in range(CLUSTER_TIMEOUT):
        for unit in units:
            ray.cancel(unit, force=True)
        if not units:
            return
        _, units = ray.wait(units, num_returns=len(units), timeout=1, fetch_local=False)


# ---------------------------------------------------------------- in a worker


def worker_function() -> Callable[[bytes, bytes], Any]:
    """Return the function that a worker runs: a closure, as Ray pickles it whole, without imports of ours."""

    def run(order: bytes, unit: bytes) -> Any:
        import inkwash

        inkwash.prefer_ours()  # Ray puts the folder of the caller first on the path
        from pipeline.run import cluster

        return cluster.run_unit(order, unit)

    return run


def run_unit(order: bytes, unit: bytes) -> Any:
    work = unpack_order(order)
    return work(pickle.loads(unit))


@lru_cache(maxsize=1)
def unpack_order(order: bytes) -> Callable:
    """Prepare this process and return the function to apply. Raise Halt if the code here is another."""
    os.environ |= dict.fromkeys(THREAD_VARIABLES, "1")  # before NumPy is imported
    prepare_process()
    try:
        signed, step, work = pickle.loads(order)
    except (ImportError, AttributeError) as error:
        raise Halt(f"{OTHER_CODE.format(socket.gethostname())} ({error})") from error
    if sign_step(step) != signed:
        raise Halt(OTHER_CODE.format(socket.gethostname()))
    return work


def sign_step(step: "Transform") -> str:
    """Hash the step, its libraries and the code that runs it, as they are here."""
    parts = [step.fingerprint(), *code_hashes("pipeline.run.process")]
    return hashlib.sha256("".join(parts).encode()).hexdigest()
