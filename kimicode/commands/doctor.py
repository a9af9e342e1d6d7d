"""`kimicode doctor`: what works here, what does not, and what to do about it.

Every check is a function of what it looks at and returns one `Check`; none changes anything but the engine's own empty runtime folder
and none sends anything anywhere. Keys are reported by where they are, never by value; a keyring is not asked. What this module does not do:
repair.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TextIO, TypeAlias

import msgspec

from kimicode.commands.doctor_keys import key_source, stored_keys
from kimicode.errors import KimicodeError, ToolError, UnavailableError, UsageError
from kimicode.home import kimicode_home
from kimicode.model.catalogue import Catalogue, load_catalogue
from kimicode.model.rundir import run_paths
from kimicode.model.target import boxed_model, resolve
from kimicode.repo.git_find import find_layout
from kimicode.repo.git_run import version
from kimicode.sandbox.boundary import Tier
from kimicode.sandbox.probe import Capabilities, best_tier, probe, why_not_better
from kimicode.session.store import SessionStore
from kimicode.settings import load_settings, settings_path
from kimicode.text import Untrusted, render_safe
from kimicode.tools.ripgrep import locate

State: TypeAlias = Literal["ok", "limited", "missing"]

JSON_VERSION: Final = 1
LITTLE_DISK_BYTES: Final = 1 << 30
"""Below this the disk is called small: long sessions with large tool results take hundreds of megabytes."""

_PROBE_SECONDS: Final = 60
# Loading llama.cpp can end a process, so another one does it.
_PROBE: Final = (
    sys.executable,
    "-P",
    "-c",
    "import llama_cpp as l; print(l.__version__, l.llama_print_system_info().decode())",
)
_NATIVE: Final = (sys.executable, "-P", "-m", "engine.native.status")
_FIT: Final = (sys.executable, "-P", "-m", "engine.fit", "kimi-k2.6")
_FIT_SECONDS: Final = 30
_LIVES: Final = (sys.executable, "-P", "-m", "engine.lives")
_USUAL: Final = "kimi-k2.6"
LITTLE_MEMORY_BYTES: Final = 1 << 30
"""Below this little is available for any model, and even the tools' own programs may be ended by the kernel."""

_FAST: Final = frozenset({"AVX2", "NEON"})


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at. `limited`: kimicode works, with less; `missing`: something does not work without it."""

    name: str
    state: State
    found: str
    advice: str = ""


class _Native(msgspec.Struct, frozen=True):
    """Which kernel computes attention; without one, `reason` says why and what to do. `experts` is why the engine can't keep them itself,
    and what to do, empty where it can."""

    kernel: str | None
    reason: str
    experts: str = ""


class _Lives(msgspec.Struct, frozen=True):
    """Where a model's parts live, how its experts would fare by the plan, and how they do in an engine that runs."""

    model: str
    runs: bool
    places: str
    experts: str | None
    running: str | None


class _Fit(msgspec.Struct, frozen=True):
    """What the planner says of one model."""

    runs: bool
    found: str
    advice: str


class _FitReport(msgspec.Struct, frozen=True):
    """The planner's line; bytes, and bytes a second."""

    memory_bytes: int
    available_bytes: int
    limit: str
    memory_rate: float | None
    models: tuple[_Fit, ...]


def doctor(as_json: bool) -> int:
    """Write what works and what does not, for people or as one JSON object; 1 where something is missing, else 0."""
    checks = tuple(all_checks(os.environ))
    healthy = all(check.state != "missing" for check in checks)
    if as_json:
        text = msgspec.json.encode({"v": JSON_VERSION, "ok": healthy, "checks": checks}).decode()
    else:
        text = "\n".join([*map(_shown, checks), "", "kimicode can work here." if healthy else "Something is missing, see above."])
    sys.stdout.write(render_safe(Untrusted(text)) + "\n")
    return 0 if healthy else KimicodeError.exit_code


def all_checks(environ: Mapping[str, str]) -> Iterator[Check]:
    """Every check, in the order in which they are shown."""
    catalogue = load_catalogue()
    home = kimicode_home(environ)
    yield Check("python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield git(environ.get("PATH"))
    yield ripgrep((Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))), environ.get("PATH"))
    yield settings(environ)
    yield model(environ)
    yield keys(catalogue, environ)
    yield boxed(environ)
    yield inference(_PROBE)
    yield from native(_NATIVE)
    yield from fit(_FIT)
    yield from lives((*_LIVES, _local(environ) or _USUAL))
    yield runtime_folder(environ)
    yield sessions(home)
    yield disk(home)
    yield sandbox(probe())
    yield terminal(sys.stdin, sys.stdout, environ)


def git(path: str | None) -> Check:
    """Is there a git on the search path `path`, outside of the current folder, and does it start?"""
    advice = "Install git; without it kimicode can't tell what changed."
    try:
        program, said = version(path, _here())
    except ToolError as error:
        return Check("git", "limited", error.message, advice)
    return Check("git", "ok", f"{said} at {program}")


def _here() -> Path:
    """The repository of the current folder: a git that lies in it is none to be run."""
    try:
        layout = find_layout(Path.cwd())
    except (OSError, UsageError):
        layout = None
    return Path(os.devnull) if layout is None else layout.work_tree


def ripgrep(folders: Sequence[Path], path: str | None) -> Check:
    """Is there a ripgrep, which the tools grep and glob need, in `folders` or on the search path?"""
    try:
        program = locate(folders, path)
    except ToolError:
        return Check("ripgrep", "missing", "neither beside Python nor on PATH", "Install the package `ripgrep`; grep and glob need it.")
    code, out = _output((str(program), "--version"))
    if code:
        return Check("ripgrep", "missing", f"{program} does not start: {out}", "Install the package `ripgrep` again.")
    return Check("ripgrep", "ok", f"{out.splitlines()[0]} at {program}")


def settings(environ: Mapping[str, str]) -> Check:
    """Can the settings be read?"""
    try:
        load_settings(environ, {})
    except UsageError as error:
        return Check("settings", "missing", error.message, error.hint)
    path = settings_path(environ)
    return Check("settings", "ok", f"{path}" if path.exists() else f"defaults; a file would be {path}")


def model(environ: Mapping[str, str]) -> Check:
    """Which model would a run without flags use? Nothing is asked of its endpoint."""
    try:
        chosen = load_settings(environ, {})
        target = resolve(chosen.endpoint, chosen.model, environ)
    except (UsageError, UnavailableError) as error:
        return Check("model", "limited", error.message, error.hint)
    found = f"{target.model} at {target.endpoint} (not asked; its context is {target.context:,} tokens)"
    return Check("model", "ok", f"{found}{key_source(target, environ)}")


def keys(catalogue: Catalogue, environ: Mapping[str, str]) -> Check:
    """Which variables with keys for endpoints are set, and which endpoints have a stored key?"""
    known = dict.fromkeys(variable for row in catalogue.endpoints.values() for variable in row.key_env)
    found = [variable for variable in known if environ.get(variable, "").strip()]
    try:
        stored = stored_keys(environ)
    except UnavailableError as error:
        return Check("keys", "limited", error.message, error.hint)
    said = [f"set: {', '.join(found)}"] if found else []
    said += [f"stored: {stored}"] if stored else []
    if said:
        return Check("keys", "ok", "; ".join(said))
    advice = "`kimicode models list` says what each endpoint reads; /setup in `kimicode` stores a key; a server of your own needs none."
    return Check("keys", "limited", "none is set or stored", advice)


def boxed(environ: Mapping[str, str]) -> Check:
    """Is the model in the box there and whole?"""
    name = boxed_model()
    try:
        target = resolve(None, name, environ)
    except (UsageError, UnavailableError) as error:
        return Check(name, "limited", error.message, error.hint)
    size = Path(target.model_file).stat().st_size
    return Check(name, "ok", f"{target.model_file} ({size / 1e6:.1f} MB, context {target.context:,})")


def inference(probe: Sequence[str]) -> Check:
    """Does llama.cpp load, and which features of the processor does it use?"""
    code, out = _output(probe)
    if code:
        return Check(
            "llama.cpp",
            "limited",
            f"does not load: {_last_line(code, out)}",
            "Install llama-cpp-python again; until then only endpoints work.",
        )
    version, _, facts = out.partition(" ")
    features = re.findall(r"(\w+) = [1-9]", facts)
    found = f"llama-cpp-python {version}, {platform.machine()}: {' '.join(features) or 'no features'}"
    if _FAST.isdisjoint(features):
        advice = "Without AVX2 or NEON the engine is slow. Build llama-cpp-python on this machine if its processor has them."
        return Check("llama.cpp", "limited", found, advice)
    return Check("llama.cpp", "ok", found)


def native(probe: Sequence[str]) -> Iterator[Check]:
    """Does an engine compute attention with kimicode's kernels, and can it keep experts itself? Asked of a process that loads them into
    llama.cpp."""
    code, out = _output(probe)
    try:
        report = msgspec.json.decode(out, type=_Native) if code == 0 else None
    except msgspec.DecodeError:
        report = None
    failed = f"loading them failed: {_last_line(code, out)}; install kimicode again"
    if report is not None and report.kernel is not None:
        yield Check("attention", "ok", f"{report.kernel}, in llama.cpp")
    else:
        reason = report.reason if report is not None else failed
        yield Check("attention", "limited", "llama.cpp's own, which is slow in long contexts", _sentence(reason))
    if report is not None and not report.experts:
        yield Check("experts", "ok", "the engine can keep them in memory and read the others itself")
    else:
        reason = report.experts if report is not None else failed
        yield Check("experts", "limited", "mapped by llama.cpp, which is slow where memory can't hold all", _sentence(reason))


def lives(probe: Sequence[str]) -> Iterator[Check]:
    """Where do a model's parts live, and how often are its experts in memory? Asked of the engine's planner, and of an engine that runs."""
    code, out = _output(probe, _FIT_SECONDS)
    try:
        report = msgspec.json.decode(out, type=_Lives) if code == 0 else None
    except msgspec.DecodeError:
        report = None
    if report is None:
        yield Check("model places", "limited", f"the planner failed: {_last_line(code, out)}", "`kimicode models plan` may say more.")
        return
    yield Check("model places", "ok", f"{report.model} {'has' if report.runs else 'would need'} {report.places}")
    if report.experts is not None:
        yield Check("model experts", "ok", report.experts)
    if report.running is not None:
        yield Check("engine experts", "ok", report.running)


def _local(environ: Mapping[str, str]) -> str:
    """The file of the model that a run without flags would use; empty where that is an endpoint's."""
    try:
        chosen = load_settings(environ, {})
        return resolve(chosen.endpoint, chosen.model, environ).model_file
    except (UsageError, UnavailableError):
        return ""


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."


def fit(probe: Sequence[str], little: int = LITTLE_MEMORY_BYTES) -> Iterator[Check]:
    """How much memory is there, and would K2.6 run in it? Asked of the engine's planner, which measures nothing for this."""
    code, out = _output(probe, _FIT_SECONDS)
    try:
        report = msgspec.json.decode(out, type=_FitReport) if code == 0 else None
    except msgspec.DecodeError:
        report = None
    if report is None:
        yield Check("memory", "limited", f"the planner failed: {_last_line(code, out)}", "`kimicode models plan kimi-k2.6` may say more.")
        return
    yield _memory(report, little)
    for row in report.models:
        yield Check("model fit", "ok" if row.runs else "limited", row.found, row.advice)


def _memory(report: _FitReport, little: int) -> Check:
    rate = report.memory_rate
    speed = "its speed not measured yet" if rate is None else f"read at {rate / 1e9:.3g} GB/s"
    total, available = report.memory_bytes / 1e9, report.available_bytes / 1e9
    found = f"{total:.3g} GB ({report.limit}), {available:.3g} GB available, {speed}"
    if report.available_bytes < little:
        return Check("memory", "limited", found, "End other programs, or give this container more memory.")
    return Check("memory", "ok", found)


def runtime_folder(environ: Mapping[str, str]) -> Check:
    """Can engines keep their sockets where they should?"""
    try:
        folder = run_paths(boxed_model(), environ).socket.parent
    except UnavailableError as error:
        return Check("engine folder", "missing", error.message, error.hint)
    return Check("engine folder", "ok", f"{folder} ({len(list(folder.glob('*.sock')))} sockets)")


def sessions(home: Path) -> Check:
    """Can session logs be written? Tried with a file that never gets a name."""
    try:
        with tempfile.TemporaryFile(dir=_existing(home)) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
        count = len(SessionStore(home).ids())
    except OSError as error:
        return Check("sessions", "missing", f"can't write in {home}: {error.strerror}", "Set KIMICODE_HOME to a folder that you can write.")
    return Check("sessions", "ok", f"{count} in {home / 'sessions'}")


def disk(home: Path, little: int = LITTLE_DISK_BYTES) -> Check:
    """Is there room for sessions?"""
    free = shutil.disk_usage(_existing(home)).free
    found = f"{free / 2**30:.1f} GiB free for {home}"
    return Check("disk", "ok", found) if free >= little else Check("disk", "limited", found, "Free some space, or set KIMICODE_HOME.")


def sandbox(capabilities: Capabilities) -> Check:
    """What holds commands?"""
    layers = f"Landlock (ABI {capabilities.landlock_abi}) and seccomp" if capabilities.landlock_abi else "seccomp"
    match best_tier(capabilities):
        case Tier.BUBBLEWRAP:
            return Check("sandbox", "ok", f"bubblewrap ({capabilities.bubblewrap}), with {layers} inside")
        case Tier.SEATBELT:
            return Check("sandbox", "limited", "Seatbelt; kimicode was never tested with it")
        case Tier.LANDLOCK:
            found = f"{layers} without namespaces: protected files are put back after a command, not out of its reach"
            return Check("sandbox", "limited", found, f"{why_not_better(capabilities)} Install bubblewrap for all of it.")
        case Tier.NONE:
            found = f"nothing can hold commands, so none run: {why_not_better(capabilities)}"
            return Check("sandbox", "missing", found, "Install bubblewrap, or say --sandbox none where something else contains them.")


def terminal(stdin: TextIO | None, stdout: TextIO | None, environ: Mapping[str, str]) -> Check:
    """Is this a terminal that can show a user interface?"""
    if stdin is None or stdout is None or not stdin.isatty() or not stdout.isatty():
        return Check("terminal", "limited", "input or output is not a terminal", "Here only --headless works.")
    kind = environ.get("TERM", "")
    encoding = stdout.encoding.lower()
    found = f"{kind or 'TERM is not set'}, {encoding}, {shutil.get_terminal_size().columns} columns"
    if kind in ("", "dumb"):
        return Check("terminal", "limited", found, "Set TERM to your terminal's name; until then --headless works.")
    if encoding not in ("utf-8", "utf8"):
        return Check("terminal", "limited", found, "Choose a UTF-8 locale, for example LANG=C.UTF-8.")
    return Check("terminal", "ok", found)


def _existing(folder: Path) -> Path:
    return folder if folder.exists() or folder == folder.parent else _existing(folder.parent)


def _output(command: Sequence[str], seconds: float = _PROBE_SECONDS) -> tuple[int, str]:
    """Exit code and stripped output of a command; its complaints where it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    raw = done.stderr or done.stdout if done.returncode else done.stdout
    return done.returncode, raw.decode("utf-8", "replace").strip()


def _last_line(code: int, out: str) -> str:
    return out.splitlines()[-1] if out else f"exit code {code}"


def _shown(check: Check) -> str:
    line = f"{check.state:<8} {check.name:<14} {check.found}"
    return f"{line}\n{'':<24}→ {check.advice}" if check.advice else line
