"""Whose turn it is to ask: time, and the pace of one domain."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from pipeline import Halt

STRIKES = 12  # requests in a row that came to nothing: the site is down
UNWANTED = 4  # strikes that a 403 counts for: after three in a row the site does not want us
STOPPED = "stopped while waiting for the site: run again to go on"


class Overload(Halt):
    """Say that a site gave no answer, however often it was asked."""


class Clock:
    """Time, and sleep that `stop` ends: nobody waits for a site after Ctrl-C."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self):
        """Let time pass."""
        self.stopped = threading.Event()

    def sleep(self, seconds: float) -> None:
        """Wait. Raise Overload if it is stopped."""
        if self.stopped.wait(seconds):
            raise Overload(STOPPED)

    def stop(self) -> None:
        """End all sleep."""
        self.stopped.set()


@dataclass(eq=False)
class Bucket:
    """The hosts of one domain: requests start `interval` seconds apart, by however many threads."""

    interval: float
    clock: Any
    free: float = 0.0  # when the next request may start
    opens: float = 0.0  # until when nobody may ask, whatever turns were given out
    strikes: int = 0  # requests that came to nothing, since the last answer
    why: str = ""  # of the last strike
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        """Wait for this request's turn, and for another if nobody may ask by then."""
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
        """Let nobody ask for a while."""
        with self.lock:
            self.opens = max(self.opens, self.clock.monotonic() + seconds)
            self.free = max(self.free, self.opens)

    @property
    def closed(self) -> bool:
        """Tell whether it is better to leave these hosts alone."""
        return self.strikes >= STRIKES
