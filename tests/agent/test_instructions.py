import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimicode.agent.instructions import LIMIT, read_instructions


@pytest.fixture
def project(tmp_path):
    deep = tmp_path / "repo" / "pkg" / "sub"
    deep.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    return deep


def found(directory, **options):
    return [(file.path, file.text, file.cut) for file in read_instructions(directory, **options).files]


def test_from_the_git_root_down(project):
    root = project.parents[1]
    (root.parent / "AGENTS.md").write_text("outside of the repository")
    (root / "AGENTS.md").write_text("root ✓")
    (project / "AGENTS.md").write_text("\ufeffsub")
    assert found(project) == [(root / "AGENTS.md", "root ✓", False), (project / "AGENTS.md", "sub", False)]


def test_outside_of_a_repository_all_folders_above_count(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "a" / "AGENTS.md").write_text("a")
    assert (tmp_path / "a" / "AGENTS.md", "a", False) in found(deep)


def test_the_deepest_file_is_kept_first(project):
    root = project.parents[1]
    (root / "AGENTS.md").write_text("r" * 100)
    (project.parent / "AGENTS.md").write_text("p" * 100)
    (project / "AGENTS.md").write_text("s" * 100)
    assert [(text, cut) for _, text, cut in found(project, limit=150)] == [("p" * 50, True), ("s" * 100, False)]
    assert any("no room left" in line for line in read_instructions(project, limit=150).skipped)
    (project / "AGENTS.md").write_text("s" * (LIMIT + 1))
    assert found(project) == [(project / "AGENTS.md", "s" * LIMIT, True)]


def test_a_cut_never_splits_a_character(project):
    (project / "AGENTS.md").write_text("🙂🙂")
    assert [found(project, limit=limit)[0][1] for limit in range(4, 9)] == ["🙂", "🙂", "🙂", "🙂", "🙂🙂"]


def test_links(project):
    root = project.parents[1]
    (root / "CLAUDE.md").write_text("shared notes")
    (root / "AGENTS.md").symlink_to("CLAUDE.md")
    secret = root.parent / "secret"
    secret.write_text("key")
    (project / "AGENTS.md").symlink_to(secret)
    (project.parent / "AGENTS.md").symlink_to("AGENTS.md")
    assert [text for _, text, _ in found(project)] == ["shared notes"]
    skipped = read_instructions(project).skipped
    assert len(skipped) == 2
    assert "leads out of" in skipped[1]


def test_a_link_outside_of_a_repository_stays_in_its_folder(tmp_path):
    """An unpacked archive with a link to a private file must not get it into a prompt."""
    (tmp_path / "secret").write_text("key")
    work = tmp_path / "work"
    work.mkdir()
    (work / "AGENTS.md").symlink_to("../secret")
    assert found(work) == []


@pytest.mark.parametrize("content", [b"\x00\x01", b"\xff\xfeh\x00", b"abc\xffdef"])
def test_what_is_not_text_is_left_out(project, content):
    (project / "AGENTS.md").write_bytes(content)
    result = read_instructions(project)
    assert result.files == ()
    assert "not" in result.skipped[0]


def test_what_is_not_a_file_is_left_out_without_waiting(project):
    root = project.parents[1]
    os.mkfifo(project / "AGENTS.md")
    (project.parent / "AGENTS.md").mkdir()
    (root / "AGENTS.md").symlink_to("/dev/zero")
    result = read_instructions(project)
    assert (result.files, len(result.skipped)) == ((), 3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.one_of(st.none(), st.text(max_size=40)), min_size=3, max_size=3), st.integers(0, 100))
def test_never_more_than_the_limit(project, texts, limit):
    for folder, text in zip((project, project.parent, project.parents[1]), texts, strict=True):
        path = folder / "AGENTS.md"
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text, "utf-8")
    result = found(project, limit=limit)
    assert sum(len(text.encode()) for _, text, _ in result) <= limit
    assert all(not cut for _, _, cut in result[1:])
