"""Reports for tests: one that has everything, and arbitrary ones."""

from hypothesis import strategies as st

from kimicode.review.finding import Finding, Severity
from kimicode.review.report import Figures, Omission, Report, Suppressed

SECRET = Finding(
    rule="secret/aws-access-key",
    path="src/it's odd, really: 100%/π.py",
    line=12,
    end_line=12,
    severity=Severity.CRITICAL,
    confidence=0.95,
    category="security",
    title="an AWS access key is in the code",
    scenario="Whoever can read the repository can use the account.",
    suggestion="Revoke it; read it from the environment.",
    quote='KEY = "AKIA…"',
)
OFF_BY_ONE = Finding(
    rule="model/correctness",
    path="src/pages.py",
    line=3,
    end_line=5,
    severity=Severity.HIGH,
    confidence=0.8,
    category="correctness",
    title="the last page is never shown",
    scenario="With 10 items and pages of 5, range(1, 2) gives one page.\nThe second one can't be reached.",
    suggestion="Count one further.",
    replacement="for page in range(1, pages + 1):\n    show(page)\n    wait()",
    quote="for page in range(1, pages):",
    source="model",
)
NOTE = Finding(
    rule="debug/print",
    path="src/pages.py",
    line=9,
    end_line=9,
    severity=Severity.LOW,
    confidence=0.6,
    category="hygiene",
    title="a debug print is left",
    scenario="It writes into the output of every user.",
)
FULL = Report(
    "what is staged",
    "c0ffee",
    (SECRET, OFF_BY_ONE, NOTE),
    (Suppressed(NOTE, "shown on purpose"),),
    (
        Omission("deadline", ("a.py", "b.py"), "20 s were over."),
        Omission("skipped", ("package-lock.json",), "Lock files are not reviewed."),
    ),
    refuted=2,
    model="kimi-k2.6",
    figures=Figures(files=4, added_lines=120, checks_ms=12.5, total_ms=2400, calls=3, cached=1, prompt_tokens=9000, completion_tokens=400),
)
EMPTY = Report("what is staged", "", ())

texts = st.text(max_size=60)
findings = st.builds(
    lambda first, more, **rest: Finding(line=first, end_line=first + more, **rest),
    first=st.integers(1, 10_000),
    more=st.integers(0, 9),
    rule=st.from_regex(r"[a-z]{1,8}(/[a-z-]{1,12})?", fullmatch=True),
    path=st.text(min_size=1, max_size=30).filter(lambda text: "\0" not in text and not text.startswith("/")),
    severity=st.sampled_from(Severity),
    confidence=st.floats(0, 1),
    category=st.sampled_from(["security", "correctness", "hygiene"]),
    title=texts,
    scenario=texts,
    suggestion=texts,
    replacement=st.none() | texts,
    quote=texts,
    source=st.sampled_from(["check", "model"]),
    verified=st.booleans(),
)
reports = st.builds(
    Report,
    described=texts,
    change=st.just("c0ffee"),
    findings=st.lists(findings, max_size=4).map(tuple),
    suppressed=st.lists(st.builds(Suppressed, findings, texts), max_size=2).map(tuple),
    omissions=st.lists(
        st.builds(Omission, st.sampled_from(["deadline", "no model", "skipped"]), st.lists(texts, max_size=7).map(tuple), texts), max_size=2
    ).map(tuple),
    model=st.sampled_from(["", "kimi-k2.6"]),
)
