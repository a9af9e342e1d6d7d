"""The native library, built and loaded, and a run of the tests that ask for `kernel` for each kernel that this processor can run."""

import functools

import pytest

from engine.native.build import build
from engine.native.library import Library


@functools.cache
def _loaded() -> Library:
    build()
    return Library()


@pytest.hookimpl(trylast=True)  # kernels innermost: a case's reference is computed once for all of them
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kernel" in metafunc.fixturenames:
        metafunc.parametrize("kernel", _loaded().kernels())


@pytest.fixture(scope="session")
def library() -> Library:
    """The library as it is installed."""
    return _loaded()
