"""What other programs do for a prompt: the user's own editor writes it, a clipboard program hands over a picture.

`edit_outside` needs the terminal for itself: a full-screen UI suspends around it. Programs are run by an injected callable, so nothing here
depends on what is installed. What this module does not do: decide what a picture is, or read text from a clipboard (terminals paste that).
"""

import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from kimicode.errors import ToolError

Run: TypeAlias = Callable[[Sequence[str]], int]
"""Runs a program with the terminal as its own; its exit status. Raises `OSError` where it can't be started."""

Ask: TypeAlias = Callable[[Sequence[str], float], bytes | None]
"""Runs a program for so many seconds at most; what it wrote, or None where it failed or took too long."""

_FALLBACKS: Final = ("nano", "vim", "vi")
_MOST_BYTES: Final = 32 << 20
_DEADLINE_S: Final = 3.0
_FORMS: Final = ("image/png", "image/jpeg", "image/webp", "image/gif")

_OSASCRIPT: Final = "the clipboard as «class PNGf»"


def editor_of(environ: Mapping[str, str]) -> list[str]:
    """The user's editor as words: `$VISUAL`, `$EDITOR`, or one that is there. Raises `ToolError`."""
    for name in ("VISUAL", "EDITOR"):
        if not (chosen := environ.get(name, "").strip()):
            continue
        try:
            words = shlex.split(chosen)
        except ValueError as error:
            raise ToolError(f"${name} is {chosen!r}, which is no command: {error}", hint=f"Set ${name} to your editor.") from error
        if words:
            return words
    for program in _FALLBACKS:
        if found := shutil.which(program, path=environ.get("PATH")):
            return [found]
    raise ToolError("there is no editor: neither $VISUAL nor $EDITOR is set, and nano, vim and vi are not installed", hint="Set $EDITOR.")


def edit_outside(text: str, environ: Mapping[str, str], run: Run) -> str | None:
    """`text` as the user left it in their editor; None where they gave up (the editor failed) or changed nothing.

    The file is in a folder that only the user can read, and is gone afterwards. Raises `ToolError` where there is no editor, it can't be
    started, or what it left is no text.
    """
    words = editor_of(environ)
    with tempfile.TemporaryDirectory(prefix="kimicode-prompt-") as folder:
        path = Path(folder, "prompt.md")
        path.write_text(text, encoding="utf-8", errors="replace", newline="")
        path.chmod(0o600)
        try:
            status = run([*words, str(path)])
        except OSError as error:
            raise ToolError(f"{words[0]} can't be started: {error.strerror or error}", hint="Set $EDITOR to your editor.") from error
        if status:
            return None
        try:
            edited = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ToolError(f"what {words[0]} saved can't be read as UTF-8 text: {error}") from error
    # Editors end a file with a line end that nobody typed.
    edited = edited.removesuffix("\n") if not text.endswith("\n") else edited
    return None if edited == text else edited


def run_in_terminal(command: Sequence[str]) -> int:
    """A `Run`: the terminal is the program's until it ends."""
    return subprocess.run(list(command), check=False).returncode


def clipboard_picture(environ: Mapping[str, str], ask: Ask, platform: str = sys.platform) -> bytes | None:
    """The bytes of the picture on the clipboard; None where there is none. Raises `ToolError` where no program can look."""
    path = environ.get("PATH")
    tried = False
    for program, commands in _readers(environ, platform):
        if shutil.which(program, path=path) is None:
            continue
        tried = True
        for command in commands:
            found = ask([program, *command], _DEADLINE_S)
            data = _unwrapped(found) if found and program == "osascript" else found
            if data and len(data) <= _MOST_BYTES:
                return data
    if not tried:
        names = " or ".join(program for program, _ in _readers(environ, platform)) or "wl-paste or xclip"
        raise ToolError(f"pictures can't be taken from the clipboard here: {names} is not installed", hint="Type @ and the picture's path.")
    return None


def ask_program(environ: Mapping[str, str]) -> Ask:
    """An `Ask` that starts programs with the user's environment."""

    def ask(command: Sequence[str], seconds: float) -> bytes | None:
        try:
            done = subprocess.run(
                list(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False, env=dict(environ)
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 and done.stdout else None

    return ask


def _readers(environ: Mapping[str, str], platform: str) -> list[tuple[str, list[list[str]]]]:
    """Programs that can read a clipboard here, and their arguments, in the order in which to try them."""
    if platform == "darwin":
        return [("pngpaste", [["-"]]), ("osascript", [["-e", _OSASCRIPT]])]
    wayland = ("wl-paste", [["--no-newline", "--type", form] for form in _FORMS])
    x11 = ("xclip", [["-selection", "clipboard", "-t", form, "-o"] for form in _FORMS])
    return [*([wayland] if environ.get("WAYLAND_DISPLAY") else []), *([x11] if environ.get("DISPLAY") else [])]


def _unwrapped(data: bytes) -> bytes | None:
    """The bytes that osascript prints as `«data PNGf89504E…»`."""
    text = data.decode("utf-8", "replace").strip()
    if not text.startswith("«data PNGf") or not text.endswith("»"):
        return None
    try:
        return bytes.fromhex(text[len("«data PNGf") : -1])
    except ValueError:
        return None
