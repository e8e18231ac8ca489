"""Compiles the catalogues of the pages into the wheel; pyproject.toml has everything else."""

from datetime import UTC, datetime
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithCatalogues(build_py):
    """Replaces each catalogue (.po) in the built package with its compiled form (.mo)."""

    def run(self) -> None:
        """Build the package, then compile its catalogues."""
        super().run()
        if self.editable_mode:
            return
        for path in Path(self.build_lib).rglob("*.po"):
            with path.open("rb") as source, path.with_suffix(".mo").open("wb") as compiled:
                catalogue = read_po(source)
                # else that of the build: the same sources would make another wheel each minute
                catalogue.creation_date = datetime(1980, 1, 1, tzinfo=UTC)
                write_mo(compiled, catalogue)
            path.unlink()


setup(cmdclass={"build_py": BuildWithCatalogues})
