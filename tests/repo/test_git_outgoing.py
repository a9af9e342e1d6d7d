"""Asking what a push brings springs no trap, and takes no name for an option."""

import pytest

from kimicode.errors import ToolError
from kimicode.repo.git_outgoing import notes_on, outgoing
from tests.repo.test_attacks import Trapped, trapped

__all__ = ["trapped"]


def test_nothing_is_executed(trapped: Trapped) -> None:
    repository = trapped.found()
    head = repository.head()
    assert head is not None
    commits = [each.commit for each in outgoing(repository, head, (), "origin", 10)]
    assert commits[0] == head
    assert len(commits) >= 2
    repository.notes_add("refs/notes/kimicode", head, "said")
    assert notes_on(repository, "refs/notes/kimicode", commits) == {head: "said"}
    assert notes_on(repository, "refs/notes/other", commits) == {}
    assert trapped.sprung == set()


@pytest.mark.parametrize("name", ["--all", "HEAD", "", "-", "main^{commit}", "a" * 39])
def test_only_names_of_objects_are_taken(trapped: Trapped, name: str) -> None:
    repository = trapped.found()
    head = repository.head()
    assert head is not None
    with pytest.raises(ToolError):
        outgoing(repository, name, (), "origin", 10)
    with pytest.raises(ToolError):
        outgoing(repository, head, (name,), "origin", 10)


@pytest.mark.parametrize("remote", ["--all", "*", "origin*", "../x", "", "https://example.org/a b", "-x"])
def test_a_remote_is_a_name_or_any(trapped: Trapped, remote: str) -> None:
    repository = trapped.found()
    head = repository.head()
    assert head is not None
    assert outgoing(repository, head, (), remote, 1)[0].commit == head
    assert trapped.sprung == set()
