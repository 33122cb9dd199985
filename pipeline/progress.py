"""How a long run reports its progress."""

from collections.abc import Callable

Tick = Callable[[int, int], None]  # takes how many are done, and of how many


def quiet(done: int, total: int) -> None:
    """Report nothing."""
