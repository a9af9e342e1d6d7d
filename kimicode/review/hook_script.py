"""The hook as git runs it: a short POSIX script that runs what was there before, and then kimicode.

Only a verdict stops git: findings that block (3), an incomplete review under `--strict` (124), an interruption (130). Whatever else goes
wrong (no kimicode, a broken installation, no memory) is said in one line and lets git go on, unless `strict`. The script names the Python
of the installation that wrote it; Python gets `-P`, without which it would import modules from the repository it stands in. Pure.
What this module does not do: put anything anywhere (`hook`), or decide about a change.
"""

import hashlib
import os
import re
from typing import Final, Literal, TypeAlias, get_args

import msgspec

HookName: TypeAlias = Literal["pre-commit", "post-commit", "pre-push"]
HOOK_NAMES: Final[tuple[HookName, ...]] = get_args(HookName)

BLOCKED: Final = 3
"""Exit code of a review that found what blocks."""
INCOMPLETE: Final = 124
"""Exit code of a strict review that was not finished."""

_FORM: Final = 1
_MARK: Final = re.compile(rb"\A#!/bin/sh\n# kimicode hook ([a-z-]+), form (\d+), digest ([0-9a-f]{32})\n")
_PYTHON: Final = re.compile(rb"^python='((?:[^']|'\\'')*)'$", re.MULTILINE)
_OPTIONS: Final = re.compile(rb"^options='([a-z -]*)'$", re.MULTILINE)


class Script(msgspec.Struct, frozen=True):
    """What one hook is to do. `python` is the interpreter by its absolute path; "" for a script that others get as well: it looks for
    `kimicode` on PATH. `strict`: what can't be reviewed is stopped. `model` False: only the instant checks."""

    name: HookName
    python: str
    strict: bool = False
    model: bool = True

    @property
    def options(self) -> str:
        """Options of `kimicode hook run`."""
        return " ".join([*(["--strict"] if self.strict else []), *([] if self.model else ["--no-model"])])


class Own(msgspec.Struct, frozen=True):
    """A script of ours that was found. `intact`: not a byte was changed since it was written."""

    script: Script
    intact: bool


def before_name(name: HookName) -> str:
    """The name under which the hook that was there before is kept, in the same folder: links and paths beside it stay right."""
    return f"{name}.before-kimicode"


def render(script: Script) -> bytes:
    """The file's content."""
    body = os.fsencode(_body(script))
    return f"#!/bin/sh\n# kimicode hook {script.name}, form {_FORM}, digest {_digest(body)}\n".encode() + body


def recognise(data: bytes) -> Own | None:
    """What `data` says if it is a script of ours, of any version; None for every other file."""
    found = _MARK.match(data)
    name = next((each for each in HOOK_NAMES if found and found[1] == each.encode()), None)
    if found is None or name is None:
        return None
    body = data[found.end() :]
    python, options = _PYTHON.search(body), _OPTIONS.search(body)
    given = options[1].split() if options else []
    where = os.fsdecode(python[1].replace(rb"'\''", b"'")) if python else ""
    return Own(Script(name, where, b"--strict" in given, b"--no-model" not in given), _digest(body) == found[3].decode())


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


def _body(script: Script) -> str:
    quoted = script.python.replace("'", "'\\''")
    head = _HEAD.replace("@name@", script.name).replace("@options@", script.options)
    parts = _PARTS[script.name].replace("@blocked@", f"{BLOCKED}|{INCOMPLETE}|130")
    # Last, for a path may hold anything.
    return (head + parts).replace("@python@", quoted)


_HEAD: Final = r"""# Made by `kimicode hook install`. `kimicode hook uninstall` takes it away and brings back what was here before.
python='@python@'
options='@options@'
case $0 in */*) before=${0%/*}/@name@.before-kimicode ;; *) before=./@name@.before-kimicode ;; esac
"""

_FIND: Final = r"""
# shellcheck disable=SC2086 # the options are words
if [ -n "$python" ] && [ -x "$python" ]; then
    set -- "$python" -P -m kimicode hook run $options @hook@ -- "$@"
elif command -v kimicode >/dev/null 2>&1; then
    set -- kimicode hook run $options @hook@ -- "$@"
else
    echo "kimicode: not found (${python:-not on PATH}), so nothing was reviewed; 'kimicode hook uninstall' removes this hook" >&2
    case $options in *--strict*) exit 1 ;; *) exit 0 ;; esac
fi
"""

_VERDICT: Final = r"""
case $code in 0|@blocked@) exit "$code" ;; esac
case $options in *--strict*) exit "$code" ;; esac
echo "kimicode: nothing was reviewed (exit code $code); git goes on" >&2
exit 0
"""

_PRE_COMMIT: Final = (
    r"""
if [ -f "$before" ] && [ -x "$before" ]; then
    "$before" "$@" || exit $?
fi
"""
    + _FIND.replace("@hook@", "pre-commit")
    + r"""
"$@"
code=$?
"""
    + _VERDICT.lstrip()
)

_POST_COMMIT: Final = (
    r"""
status=0
if [ -f "$before" ] && [ -x "$before" ]; then
    "$before" "$@" || status=$?
fi
# Asked now: when the review begins there may be another commit already.
commit=$(git rev-parse --quiet --verify HEAD) || exit "$status"
"""
    + _FIND.replace('@hook@ -- "$@"', 'post-commit -- "$commit"')
    + r"""
# In the background, apart from the terminal: the commit is made, and nobody waits.
(trap '' HUP INT; exec "$@") </dev/null >/dev/null 2>&1 &
exit "$status"
"""
)

_PRE_PUSH: Final = (
    r"""
lines=
while IFS= read -r line || [ -n "$line" ]; do
    lines="$lines$line
"
done
if [ -f "$before" ] && [ -x "$before" ]; then
    printf '%s' "$lines" | "$before" "$@" || exit $?
fi
"""
    + _FIND.replace("@hook@", "pre-push")
    + r"""
printf '%s' "$lines" | "$@"
code=$?
"""
    + _VERDICT.lstrip()
)

_PARTS: Final = {"pre-commit": _PRE_COMMIT, "post-commit": _POST_COMMIT, "pre-push": _PRE_PUSH}
