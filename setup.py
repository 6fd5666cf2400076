"""The Cython extensions: each _speedups/NAME.pyx becomes mta.wire._NAME."""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

HERE = Path(__file__).parent
extensions = [
    Extension(f"mta.wire._{source.stem}", [str(source.relative_to(HERE))], extra_compile_args=["-O2"])
    for source in sorted((HERE / "_speedups").glob("*.pyx"))
]
setup(ext_modules=cythonize(extensions, build_dir="build/cython", language_level=3))
