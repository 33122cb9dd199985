"""Inputs and calls that several tests share."""

from pipeline import run
from pipeline.run import Execution, Policy

HOW = ("cache", "workers", "on", "tick")  # what changes no byte of a result


def process(step, source, dest, view=list, **given):
    """Apply a step to a column, with the fields of Execution and of Policy as keywords."""
    execution = Execution(**{name: given.pop(name) for name in HOW if name in given})
    return run.process(step, source, dest, execution, Policy(**given), view)


def unpacked(result):
    """Return the picture and the metadata of a result."""
    return result.picture, result.metadata
