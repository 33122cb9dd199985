"""The rate limiter: when a thread may send its next request to a domain."""

import threading
import time
from dataclasses import dataclass, field

from pipeline.errors import Halt

MAX_STRIKES = 12  # failed requests in a row, after which a site counts as down
FORBIDDEN_STRIKES = 4  # strikes for a 403: three in a row mean that the site does not want us
STOPPED_WAITING = "stopped while waiting for the site: run again to go on"


class SiteUnavailable(Halt):
    """A site did not answer, however often it was asked."""


class Clock:
    """The time, and a sleep that `stop` ends, so that Ctrl-C need not wait for a site."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def sleep(self, seconds: float) -> None:
        """Wait. Raise Overload if stopped."""
        if self.stopped.wait(seconds):
            raise SiteUnavailable(STOPPED_WAITING)

    def stop(self) -> None:
        """End all sleep, now and later."""
        self.stopped.set()


@dataclass(eq=False)
class RateLimiter:
    """The hosts of one domain: requests of all threads start at least `interval` seconds apart."""

    interval: float
    clock: Clock
    free: float = 0.0  # when the next request may start
    opens: float = 0.0  # when the pause ends that the site asked for
    strikes: int = 0  # failed requests since the last success
    why: str = ""  # of the last strike
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        """Wait for a turn; after a pause that began meanwhile, wait for another."""
        while True:
            with self.lock:
                now = self.clock.monotonic()
                start = max(now, self.free)
                self.free = start + self.interval
            if start > now:
                self.clock.sleep(start - now)
            if start >= self.opens:
                return

    def pause(self, seconds: float) -> None:
        """Start no request for some seconds."""
        with self.lock:
            self.opens = max(self.opens, self.clock.monotonic() + seconds)
            self.free = max(self.free, self.opens)

    @property
    def closed(self) -> bool:
        """Whether to send no more requests to these hosts."""
        return self.strikes >= MAX_STRIKES
