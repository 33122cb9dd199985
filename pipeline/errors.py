"""The exceptions that more than one room raises or catches."""


class Halt(Exception):
    """Say in one sentence what in the world stopped a stage, and what to do next.

    A parameter out of its bounds is a `ValueError`, a picture that cannot be used is an `BadImage`,
    anything else that goes wrong is a bug. Only the command line catches this one, and exits with code 1.
    """


class BadImage(Exception):
    """Give the reason why a picture cannot be used; reasons are few and fixed, they are keys of a metric."""
