"""The studio as its handlers share it: its folders, the functions of the commands, and its threads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from pipeline.studio.columns import DataFolder

Words = ParamSpec("Words")
Made = TypeVar("Made")
READING_THREADS = 4  # threads that read and decode; coloring has one of its own


@dataclass(frozen=True)
class Studio:
    """What `prep studio` was started with.

    `data` is a folder of columns, one column, or the URL of one. `params` is the file of parameters, beside
    which the project has its `metrics`. `functions` are those of the commands, which a library cannot import,
    by name. `token` must come with each request that is not for reading.
    """

    data: Path
    params: Path | None
    model: Path
    title: str  # of the model, for people
    version: str
    token: str
    port: int
    device: str = "auto"
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    readers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(READING_THREADS))
    painter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    @cached_property
    def columns(self) -> DataFolder:
        return DataFolder(self.data)

    @property
    def home(self) -> Path:
        """The folder of the project."""
        if self.params:
            return self.params.parent
        return Path() if self.columns.is_remote else self.data.parent

    def read_params(self) -> dict[str, Any]:
        """Read the sections of the file of parameters; {} if there is none. Raise Halt if it is broken."""
        return self.functions["read_params"](self.params) if self.params else {}

    async def run(self, work: Callable[Words, Made], *given: Words.args, **named: Words.kwargs) -> Made:
        """Run what reads or decodes in a thread, so that the server goes on answering."""
        return await to_thread.run_sync(partial(work, *given, **named), limiter=self.readers)

    async def paint(self, work: Callable[Words, Made], *given: Words.args, **named: Words.kwargs) -> Made:
        """Run what needs the network in the one thread that computes with it."""
        return await to_thread.run_sync(partial(work, *given, **named), limiter=self.painter)
