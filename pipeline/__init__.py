"""Turn illustrations into datasets for sketch colorization, and train the networks that color."""


class Halt(Exception):
    """Say in one sentence what in the world stopped a stage, and what to do next.

    A parameter out of its bounds is a `ValueError`, a picture that cannot be used is an `codec.BadImage`,
    anything else that goes wrong is a bug. Only the command line catches this one, and exits with code 1.
    """
