"""A push is judged by the notes that are there: which commits count, which findings, and what is not known."""

from pathlib import Path

import pytest

from kimicode.errors import UsageError
from kimicode.review import verdict as verdicts
from kimicode.review.finding import Finding, Severity
from kimicode.review.push import Candidate, Update, candidates, decide, parse_updates, stands_in
from kimicode.review.report import Gate, Omission, Report
from kimicode.review.verdict import Verdict
from tests.review.hooks import Work

ZERO = "0" * 40


def finding(rule: str = "model/correctness", *, quote: str = "x = 1 / 0", severity: Severity = Severity.HIGH, path: str = "a") -> Finding:
    return Finding(
        rule=rule,
        path=path,
        line=1,
        end_line=1,
        severity=severity,
        confidence=0.9,
        category="correctness",
        title="t",
        scenario="s",
        quote=quote,
        source="model",
    )


def verdict(*findings: Finding, omissions: tuple[Omission, ...] = ()) -> Verdict:
    return verdicts.reviewed(Report("commit", "name", findings, omissions=omissions))


@pytest.fixture
def work(tmp_path: Path) -> Work:
    work = Work(tmp_path / "work")
    for number in range(3):
        work.add(a=f"{number}\nx = 1 / 0\n" if number == 1 else f"{number}\n")
        work.commit()
    return work


def history(work: Work, *revision: str) -> list[str]:
    return work.git("rev-list", *revision).split()


def test_a_note_is_read_as_it_was_written(work: Work) -> None:
    head, last, first = history(work, "HEAD")
    said = verdict(finding(path="ünï \udcff"), omissions=(Omission("deadline", ("a",), "the time was over"),))
    verdicts.write(work.repository, head, said)
    verdicts.write(work.repository, first, verdicts.without_review("failed", "no engine"))
    verdicts.write(work.repository, first, verdicts.without_review("bypassed", "KIMICODE_REVIEW=off"))
    found = verdicts.read(work.repository, [head, last, first])
    assert set(found) == {head, first}
    assert found[first].reason == "KIMICODE_REVIEW=off"
    report = found[head].report
    assert report is not None
    assert report.findings[0].severity is Severity.HIGH
    assert report.omissions == (Omission("deadline", ("a",), "the time was over"),)


def test_users_own_notes_are_not_touched(work: Work) -> None:
    work.git("notes", "add", "-m", "mine", "HEAD")
    verdicts.write(work.repository, history(work, "HEAD")[0], verdict())
    assert work.git("notes", "show", "HEAD") == "mine"
    assert "Notes (kimicode)" not in work.git("log", "-1")


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"state": "reviewed"}', '{"state": "perfect"}', '{"state": "failed", "form": 99}'])
def test_what_is_no_verdict_counts_as_none(work: Work, text: str) -> None:
    head = history(work, "HEAD")[0]
    work.repository.notes_add(verdicts.NOTES, head, text)
    assert verdicts.read(work.repository, [head]) == {}


def test_what_git_says_before_a_push() -> None:
    oid = "1" * 40
    assert parse_updates(f"refs/heads/a {oid} refs/heads/b {ZERO}\n(delete) {ZERO} refs/heads/c {oid}\n") == (
        Update("refs/heads/a", oid, "refs/heads/b", ""),
        Update("(delete)", "", "refs/heads/c", oid),
    )
    assert parse_updates("") == ()
    with pytest.raises(UsageError):
        parse_updates("hello\n")


def test_which_commits_a_push_brings(work: Work, tmp_path: Path) -> None:
    third, second, first = history(work, "HEAD")
    repository = work.repository
    work.git("tag", "-a", "v1", "-m", "v1")
    tag = work.git("rev-parse", "v1")

    def brings(*updates: tuple[str, str], remote: str = "origin") -> list[str]:
        found, cut = candidates(repository, tuple(Update("r", local, "r", known) for local, known in updates), remote)
        assert not cut
        return [each.commit for each in found]

    assert brings((third, first)) == [third, second]
    assert brings((third, "")) == [third, second, first]
    assert brings((tag, "")) == [third, second, first]
    assert brings(("", third)) == []
    assert brings((third, third)) == []
    # What the remote has is not known here: then all that no remote branch has.
    assert brings((third, "e" * 40)) == [third, second, first]
    # A forced push of an older state brings nothing.
    assert brings((first, third)) == []
    assert brings((third, first), (second, "")) == [third, second]
    work.git("init", "-q", "--bare", str(tmp_path / "remote"))
    work.git("remote", "add", "origin", str(tmp_path / "remote"))
    work.git("push", "-q", "origin", f"{second}:refs/heads/main")
    assert brings((third, "")) == [third]
    assert brings((third, ""), remote="other") == [third, second, first]
    assert brings((third, ""), remote=str(tmp_path / "remote")) == [third]
    assert brings((third, ""), remote="--all") == [third]


def test_merges_are_known(work: Work) -> None:
    work.git("checkout", "-q", "-b", "side", "HEAD~1")
    work.add(b="1\n")
    work.commit()
    work.git("merge", "-q", "-m", "m", "main")
    found, _ = candidates(work.repository, (Update("r", history(work, "HEAD")[0], "r", ""),), "origin")
    assert [each.merge for each in found].count(True) == 1
    assert found[0].merge
    assert len(found) == 5


def test_a_whole_history_is_cut(work: Work) -> None:
    third, second, _ = history(work, "HEAD")
    found, cut = candidates(work.repository, (Update("r", third, "r", ""),), "origin", limit=2)
    assert ([each.commit for each in found], cut) == ([third, second], True)


def test_what_blocks() -> None:
    pushed = tuple(Candidate(name, "tip") for name in "abcdef")
    known = {
        "a": verdict(finding()),
        "b": verdict(finding(severity=Severity.LOW)),
        "c": verdict(omissions=(Omission("deadline", (), "late"),)),
        "d": verdicts.without_review("failed", "no engine"),
        "e": verdicts.without_review("bypassed", "SKIP=kimicode-review"),
    }
    found = decide(pushed, known, Gate(), lambda tip, _: tip == "tip")
    assert [each.commit for each in found.blocking] == ["a"]
    assert (found.unreviewed, found.unfinished, found.failed, found.bypassed) == (("f",), ("c",), ("d",), ("e",))
    assert found.gaps
    # A merge that git made alone has nothing to be reviewed.
    assert not decide((Candidate("m", "tip", merge=True),), {}, Gate(), lambda *_: True).gaps
    assert not decide((), {}, Gate(), lambda *_: True).gaps


def test_what_a_later_commit_took_away_is_settled(work: Work) -> None:
    third, second, _ = history(work, "HEAD")
    known = {second: verdict(finding()), third: verdict()}
    gone = decide((Candidate(third, third), Candidate(second, third)), known, Gate(), stands_in(work.repository))
    assert (gone.blocking, gone.settled) == ((), 1)
    there = decide((Candidate(second, second),), known, Gate(), stands_in(work.repository))
    assert [each.commit for each in there.blocking] == [second]


def test_a_secret_stays_in_the_history(work: Work) -> None:
    third, second, _ = history(work, "HEAD")
    known = {second: verdict(finding("secret/aws-access-key", quote="gone")), third: verdict()}
    found = decide((Candidate(third, third), Candidate(second, third)), known, Gate(), stands_in(work.repository))
    assert [each.commit for each in found.blocking] == [second]


def test_code_that_only_moved_still_stands(work: Work) -> None:
    second = history(work, "HEAD")[1]
    work.add(a="def f():\n\n        x  = 1 / 0\n")
    work.commit()
    tip = history(work, "HEAD")[0]
    stands = stands_in(work.repository)
    assert stands(second, finding())
    assert stands(tip, finding())
    assert stands(tip, finding(quote=""))
    assert not stands(tip, finding(path="gone"))
    assert not stands(tip, finding(path="../a\nb"))
