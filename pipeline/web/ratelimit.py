"""The rate limiter: when a thread may send its next request to a domain."""

import threading
import time
from dataclasses import dataclass, field

from pipeline.errors import Halt

MAX_STRIKES = 12  # failed requests in a row, after which a site counts as down
STOPPED_WAITING = "stopped while waiting for the site: run again to go on"


class SiteUnavailable(Halt):
    """A site did not answer, however often it was asked."""


class Clock:
    """The time, and a sleep that `stop` ends, so that Ctrl-C need not wait for a site."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def sleep(self, seconds: float) -> None:
        """Wait. Raise SiteUnavailable once stopped."""
        if self.stopped.wait(seconds):
            raise SiteUnavailable(STOPPED_WAITING)

    def stop(self) -> None:
        self.stopped.set()


@dataclass(eq=False)
class RateLimiter:
    """The turns of one domain: requests of all threads start at least `interval` seconds apart."""

    interval: float
    clock: Clock
    next_start: float = 0.0  # when the next request may start
    pause_end: float = 0.0  # until when the site asked to be left alone
    strikes: int = 0  # failed requests since the last success
    reason: str = ""  # of the last strike
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        """Wait for a turn; if a pause began meanwhile, wait for another."""
        while True:
            with self.lock:
                now = self.clock.monotonic()
                start = max(now, self.next_start)
                self.next_start = start + self.interval
            if start > now:
                self.clock.sleep(start - now)
            if start >= self.pause_end:
                return

    def pause(self, seconds: float) -> None:
        """Start no request for some seconds; a longer pause goes on."""
        with self.lock:
            self.pause_end = max(self.pause_end, self.clock.monotonic() + seconds)
            self.next_start = max(self.next_start, self.pause_end)

    def strike(self, reason: str, count: int = 1) -> SiteUnavailable:
        """Count strikes, and return an exception with the reason."""
        with self.lock:
            self.strikes += count
            self.reason = reason
        return SiteUnavailable(reason)

    @property
    def closed(self) -> bool:
        """Whether the domain failed so often that no more requests are sent to it."""
        return self.strikes >= MAX_STRIKES
