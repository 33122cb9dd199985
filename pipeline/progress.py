"""The callback by which a long run reports its progress."""

from collections.abc import Callable

Tick = Callable[[int, int], None]  # called with the numbers of units done and of all units


def quiet(done: int, total: int) -> None:
    """Report nothing."""
