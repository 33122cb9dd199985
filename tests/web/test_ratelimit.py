"""Threads take turns, and wait for a pause to end."""

import threading

from rig import Clock

from pipeline.web.ratelimit import RateLimiter


def test_threads_take_turns():
    waits, clock = [], Clock()
    clock.sleep = waits.append  # time stands still: all ask at the same moment
    limiter = RateLimiter(1, clock)
    threads = [threading.Thread(target=limiter.wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [1, 2, 3]


def test_a_pause_also_delays_threads_that_already_had_a_turn():
    clock = Clock()
    limiter = RateLimiter(1, clock)
    clock.sleep, sleep = lambda seconds: (sleep(seconds), clock.now == 1 and limiter.pause(30)), clock.sleep
    for _ in range(2):
        limiter.wait()
    assert clock.slept == [1, 30]
    limiter.wait()
    assert clock.now == 32
    for seconds in (20, 5):  # the shorter pause does not end the longer one
        limiter.pause(seconds)
    limiter.wait()
    assert clock.now == 52
