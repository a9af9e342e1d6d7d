"""A user with a workspace, and endpoints by script."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.kimi import Endpoint, Kimi
from tests.model.faultserver import Behaviour

Serve = Callable[..., Endpoint]


@pytest.fixture
def kimi(tmp_path: Path) -> Iterator[Kimi]:
    with tempfile.TemporaryDirectory(prefix="kimi-") as runtime:
        yield Kimi(tmp_path, runtime)


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(*script: Behaviour) -> Endpoint:
            return stack.enter_context(Endpoint(script))

        yield start
