"""The parts of the build that pyproject.toml cannot say: the files with which `prep init` begins a project.

They are those of this checkout, so that there is no second copy to keep.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PROJECT_FILES = [
    "dvc.yaml", "params.yaml", "keep.tsv", "drop.tsv",
    ".gitignore", ".dvcignore", ".dvc/config", ".dvc/plots.html",
]  # fmt: skip


class BuildWithProject(build_py):
    """Copies the files into the package; an editable installation reads them where they are."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for name in PROJECT_FILES:
                copy = Path(self.build_lib, "pipeline", "upkeep", "project", name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                self.copy_file(name, str(copy))

    def get_source_files(self) -> list[str]:
        """List what a source distribution needs."""
        return [*super().get_source_files(), *PROJECT_FILES]


setup(cmdclass={"build_py": BuildWithProject})
