"""What pyproject.toml can't say: the attention kernels are compiled at installation, and an installation without them is whole.

They belong to no version of Python, only to a kind of machine, and the wheel is named so. What this module does not do: say how they are
compiled (`engine.native.build`).
"""

import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

sys.path.insert(0, str(Path(__file__).parent))

from engine.native.build import NAME, TARGET, BuildError, build, stamp_of

_PACKAGE = Path("engine", "native")


class Kernels(build_ext):
    """Compile the library to where the package will be; without one, say so and go on."""

    def run(self) -> None:
        """Build it."""
        try:
            build(self._target())
        except BuildError as error:
            self.warn(f"the attention kernels were not built, llama.cpp's own are used: {error}")

    def get_outputs(self) -> list[str]:
        """The files that belong into a wheel."""
        target = self._target()
        return [str(path) for path in (target, stamp_of(target)) if path.exists()]

    def get_output_mapping(self) -> dict[str, str]:
        """Which of them an editable installation has in the source tree: all are there already, so none."""
        return {}

    def _target(self) -> Path:
        return TARGET if self.inplace else Path(self.build_lib, _PACKAGE, NAME)


class Wheel(bdist_wheel):
    """A wheel for every Python on this kind of machine."""

    def get_tag(self) -> tuple[str, str, str]:
        """Python, ABI and platform."""
        return "py3", "none", super().get_tag()[2]


setup(
    ext_modules=[Extension("engine.native.kimicode_mla", sources=[])],
    cmdclass={"build_ext": Kernels, "bdist_wheel": Wheel},
)
