"""Steps: operators applied to samples. A step decides the bytes of a new column."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from pipeline.codehash import code_hashes, library_versions
from pipeline.files import dumps
from pipeline.images.png import encode_png
from pipeline.images.result import Result
from pipeline.shards.relatives import ORIGIN_MEMBER
from pipeline.shards.tar import Sample


@dataclass(frozen=True)
class Output:
    """A sample of the new column, and those of its metadata that are reported."""

    sample: Sample
    reported: dict = field(default_factory=dict)


class Transform(Protocol):
    """A function from sample to sample that `process.run_step` can apply, such as a Step or a Colorizer."""

    def __call__(self, sample: Sample) -> Output:
        """Make the sample of the new column. Raise BadImage if its picture cannot be used."""

    def fingerprint(self) -> str:
        """Hash everything that decides the result."""


@dataclass(frozen=True)
class Step:
    """An operator `(picture: bytes, key: str, params) -> Result`, with its parameters.

    The metadata of the result, and whose picture a relative is, become the JSON member; with `carry` they are
    added to those of the sample. The metadata named in `report` are reported too. A member of the sample
    called `extra` ("sketch" or "relative") is passed to the operator as a keyword argument of that name.
    `modules` names code that decides the result and that the operator imports by name.
    """

    function: Callable[..., Result]
    params: Any
    carry: bool = False
    report: tuple[str, ...] = ()
    extra: str = ""
    modules: tuple[str, ...] = ()

    def __call__(self, sample: Sample) -> Output:
        """Make the sample of the new column. Raise BadImage if its picture cannot be used."""
        members = {suffix: data for suffix, data in sample.members.items() if suffix != ORIGIN_MEMBER}
        extras = [data for suffix, data in members.items() if suffix.split(".")[0] == self.extra]
        keywords = {self.extra: extras[0]} if extras else {}
        result = self.function(sample.picture, sample.key, self.params, **keywords)
        metadata = result.metadata | json.loads(sample.members.get(ORIGIN_MEMBER, b"{}"))
        members = {"png": encode_png(result.picture)}
        if result.sketch is not None:
            members["sketch.png"] = encode_png(result.sketch)
        members["json"] = dumps(sample.metadata | metadata if self.carry else metadata)
        return Output(Sample(sample.key, members), {name: result.metadata[name] for name in self.report})

    def fingerprint(self) -> str:
        """Hash the code, the parameters and the versions of the libraries that decide the result."""
        settings = [self.function.__qualname__, asdict(self.params), self.carry, self.report, self.extra]
        modules = (self.function.__module__, __name__, *self.modules)
        return hashlib.sha256(
            dumps([settings, code_hashes(*modules), library_versions(*modules)])
        ).hexdigest()
