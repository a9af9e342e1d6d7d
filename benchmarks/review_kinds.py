"""Kinds of mutants: one mistake each, put into a real hunk. Which of them an instant check can see, and which only a reader.

A kind is a function from a sample and a chance to the sample with the mistake, or None where the hunk has no place for it. Secrets are made
as their issuers describe them, not from the patterns of the checks. What this module does not do: fetch hunks, or count.
"""

import base64
import json
import random
import re
import string
import zlib
from collections.abc import Callable
from typing import Final, NamedTuple

from review_corpus import Sample

Mutation = Callable[[Sample, random.Random], Sample | None]

ALNUM: Final = string.ascii_letters + string.digits
CAPITALS: Final = string.ascii_uppercase + string.digits
_BRACES: Final = frozenset(".js .jsx .mjs .cjs .ts .tsx .c .cc .cpp .h .hpp .rs .go .java .kt .swift .php .css .json".split())
_CODE: Final = (_BRACES - {".json", ".css"}) | {".py", ".rb", ".sh"}
_PARSED: Final = frozenset(".py .js .jsx .mjs .cjs .ts .tsx .c .cc .cpp .java .rs .go .rb .php .sh".split())
_SCRIPTS: Final = frozenset(".js .jsx .mjs .cjs .ts .tsx".split())
_COMMENTS: Final = dict.fromkeys((".py", ".rb", ".sh", ".toml", ".yaml", ".yml"), "#")


class Kind(NamedTuple):
    """A kind of mistake. `checks`: an instant check is for it."""

    name: str
    checks: bool
    mutate: Mutation


def _pick(chance: random.Random, count: int, letters: str = ALNUM) -> str:
    return "".join(chance.choice(letters) for _ in range(count))


def _crc62(text: str) -> str:
    number, out = zlib.crc32(text.encode()), ""
    letters = string.digits + string.ascii_uppercase + string.ascii_lowercase
    for _ in range(6):
        number, rest = divmod(number, 62)
        out = letters[rest] + out
    return out


def _github(chance: random.Random) -> str:
    body = _pick(chance, 30)
    return f"{chance.choice(['ghp', 'gho', 'ghs'])}_{body}{_crc62(body)}"


def _jwt(chance: random.Random) -> str:
    claim = {"sub": _pick(chance, 12, string.digits), "iat": chance.randrange(1_600_000_000, 1_800_000_000)}
    parts = [{"alg": "HS256", "typ": "JWT"}, claim]
    head, claims = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{claims}.{_pick(chance, 43, ALNUM + '-_')}"


def _discord(chance: random.Random) -> str:
    user = base64.urlsafe_b64encode(_pick(chance, 18, "123456789").encode()).decode().rstrip("=")
    return f"{user}.{_pick(chance, 6)}.{_pick(chance, 38)}"


SECRETS: Final[dict[str, Callable[[random.Random], str]]] = {
    "aws access key": lambda c: "AKIA" + _pick(c, 16, string.ascii_uppercase + "234567"),
    "github token": _github,
    "github fine-grained": lambda c: f"github_pat_{_pick(c, 22)}_{_pick(c, 59)}",
    "gitlab token": lambda c: "glpat-" + _pick(c, 20, ALNUM + "-_")[:-1] + c.choice(ALNUM),
    "slack bot token": lambda c: f"xoxb-{_pick(c, 12, string.digits)}-{_pick(c, 13, string.digits)}-{_pick(c, 24)}",
    "slack webhook": lambda c: f"https://hooks.slack.com/services/T{_pick(c, 8, CAPITALS)}/B{_pick(c, 10, CAPITALS)}/{_pick(c, 24)}",
    "stripe live key": lambda c: "sk_live_" + _pick(c, 24),
    "google api key": lambda c: "AIza" + _pick(c, 34, ALNUM + "-_") + c.choice(ALNUM),
    "google oauth secret": lambda c: "GOCSPX-" + _pick(c, 27, ALNUM + "-_") + c.choice(ALNUM),
    "openai key": lambda c: f"sk-proj-{_pick(c, 74, ALNUM + '-_')}T3BlbkFJ{_pick(c, 73, ALNUM + '-_')}A",
    "anthropic key": lambda c: f"sk-ant-api03-{_pick(c, 93, ALNUM + '-_')}AA",
    "moonshot key": lambda c: "sk-" + _pick(c, 48),
    "hugging face token": lambda c: "hf_" + _pick(c, 34, string.ascii_letters),
    "npm token": lambda c: (lambda body: f"npm_{body}{_crc62(body)}")(_pick(c, 30)),
    "pypi token": lambda c: "pypi-AgEIcHlwaS5vcmc" + _pick(c, 150, ALNUM + "-_") + "A",
    "sendgrid key": lambda c: f"SG.{_pick(c, 22, ALNUM + '-_')}.{_pick(c, 42, ALNUM + '-_')}A",
    "telegram token": lambda c: f"{c.randrange(10**9, 10**10)}:AA{_pick(c, 32, ALNUM + '-_')}A",
    "discord token": _discord,
    "twilio key": lambda c: "SK" + _pick(c, 32, "0123456789abcdef"),
    "azure storage": lambda c: f"AccountName=store;AccountKey={_pick(c, 86, ALNUM + '+/')}==;EndpointSuffix=core.windows.net",
    "digitalocean token": lambda c: "dop_v1_" + _pick(c, 64, "0123456789abcdef"),
    "shopify token": lambda c: "shpat_" + _pick(c, 32, "0123456789abcdef"),
    "json web token": _jwt,
    "database url": lambda c: f"postgresql://app:{_pick(c, 14)}7x@db.internal.corp:5432/main",
}


def _insert(sample: Sample, chance: random.Random, lines: list[str]) -> Sample:
    """The lines at the start of the hunk or its end, with the indentation there."""
    added = list(sample.added)
    at = chance.choice([0, len(added)])
    near = next((line for line in added[at:] + added[::-1] if line.strip()), "")
    indent = near[: len(near) - len(near.lstrip())]
    return sample.mutated(added[:at] + [indent + line if line else line for line in lines] + added[at:])


def _assignment(sample: Sample, name: str, value: str) -> str:
    suffix = sample.suffix
    if suffix in (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx"):
        return f'const {name} = "{value}";'
    if suffix in (".java", ".cs"):
        return f'private static final String {name.upper()} = "{value}";'
    if suffix in (".go", ".kt", ".swift"):
        return f'{"var" if suffix == ".go" else "val" if suffix == ".kt" else "let"} {name} = "{value}"'
    if suffix in (".c", ".cc", ".cpp", ".h", ".hpp"):
        return f'static const char *{name} = "{value}";'
    if suffix in (".yaml", ".yml"):
        return f"{name}: {value}"
    if suffix == ".json":
        return f'"{name}": "{value}",'
    return f'{name} = "{value}"'


def _secret(make: Callable[[random.Random], str]) -> Mutation:
    names = ["client", "SERVICE_CREDENTIAL", "value", "conf", "default_auth"]

    def mutate(sample: Sample, chance: random.Random) -> Sample | None:
        return _insert(sample, chance, [_assignment(sample, chance.choice(names), make(chance))]) if _plain(sample) else None

    return mutate


def _plain(sample: Sample) -> bool:
    """Not a place where secrets are made up: there the checks are silent on purpose, and a reader could not tell."""
    return not re.search(r"test|spec|mock|example|fixture|docs?/|sample|bench", sample.path, re.IGNORECASE) and sample.suffix in _CODE


def _private_key(sample: Sample, chance: random.Random) -> Sample | None:
    if not _plain(sample):
        return None
    kind = chance.choice(["RSA ", "EC ", "OPENSSH ", ""])
    body = ["MII" + _pick(chance, 61, ALNUM + "+/"), *(_pick(chance, 64, ALNUM + "+/") for _ in range(6)), _pick(chance, 30) + "=="]
    return _insert(sample, chance, [f"-----BEGIN {kind}PRIVATE KEY-----", *body, f"-----END {kind}PRIVATE KEY-----"])


def _entropy(sample: Sample, chance: random.Random) -> Sample | None:
    name = chance.choice(["api_key", "secretKey", "auth_token", "ACCESS_TOKEN", "clientSecret", "signing_key"])
    value = _pick(chance, chance.choice([24, 32, 40, 64]), chance.choice([ALNUM, ALNUM + "+/", "0123456789abcdef", ALNUM + "-_"]))
    return _insert(sample, chance, [_assignment(sample, name, value)]) if _plain(sample) else None


def _password(sample: Sample, chance: random.Random) -> Sample | None:
    words = ["Winter", "Dragon", "Falcon", "Coffee", "Monkey", "Summer"]
    value = f"{chance.choice(words)}{chance.randrange(10, 99)}{chance.choice('!$#@&%')}{_pick(chance, 3)}"
    name = chance.choice(["password", "db_password", "adminPassword", "SMTP_PASSWD"])
    return _insert(sample, chance, [_assignment(sample, name, value)]) if _plain(sample) else None


def _conflict(sample: Sample, chance: random.Random, *, base: bool = False) -> Sample | None:
    added = list(sample.added)
    middle = ["||||||| merged common ancestors", *sample.removed[:5]] if base else []
    ends = f">>>>>>> {chance.choice(['feature/login', 'origin/main', _pick(chance, 7, '0123456789abcdef')])}"
    return sample.mutated(["<<<<<<< HEAD", *added, *middle, "=======", *(sample.removed or added[:1]), ends])


def _lone_marker(sample: Sample, chance: random.Random) -> Sample | None:
    if not _plain(sample):
        return None
    marker = chance.choice(["<<<<<<< HEAD", ">>>>>>> origin/main", ">>>>>>> 4f5c2d1 (Fix it)"])
    return sample.mutated([*sample.added, marker])


def _in_line(pattern: str, replace: Callable[[re.Match[str], random.Random], str], suffixes: frozenset[str] = _CODE) -> Mutation:
    """One match of `pattern` in one added line that is no comment, replaced."""
    expression = re.compile(pattern)

    def mutate(sample: Sample, chance: random.Random) -> Sample | None:
        if sample.suffix not in suffixes:
            return None
        places = [
            (at, found)
            for at, line in enumerate(sample.added)
            if not re.match(r"\s*(?:#|//|\*|/\*|\"\"\"|'''|--)", line)
            for found in expression.finditer(line)
        ]
        if not places:
            return None
        at, found = chance.choice(places)
        added = list(sample.added)
        line = added[at]
        changed = line[: found.start()] + replace(found, chance) + line[found.end() :]
        added[at : at + 1] = [] if not changed.strip() else [changed]
        return sample.mutated(added) if added != list(sample.added) else None

    return mutate


def _inserted(lines: dict[str, list[str]], *, tests: bool | None = None) -> Mutation:
    """One of the lines for the language, put into the hunk."""

    def mutate(sample: Sample, chance: random.Random) -> Sample | None:
        of_test = re.search(r"test|spec", sample.path, re.IGNORECASE) is not None
        if sample.suffix not in lines or (tests is not None and of_test != tests):
            return None
        return _insert(sample, chance, [chance.choice(lines[sample.suffix])])

    return mutate


def _for_scripts(lines: list[str]) -> dict[str, list[str]]:
    return dict.fromkeys(_SCRIPTS, lines)


def _both(python: str, script: str) -> Mutation:
    """A line of Python, or one of JavaScript."""
    return _inserted({".py": [python], **_for_scripts([script])})


def _noted(sample: Sample, chance: random.Random) -> Sample | None:
    return _insert(sample, chance, [_comment(sample, "DO NOT COMMIT: only for my machine")]) if sample.suffix in _CODE else None


def _comment(sample: Sample, words: str) -> str:
    return f"{_COMMENTS.get(sample.suffix, '//')} {words}"


def _bidi(sample: Sample, chance: random.Random) -> Sample | None:
    line = _comment(sample, "\u202e } \u2066if admin\u2069 \u2066 only for them")
    return _insert(sample, chance, [line]) if sample.suffix in _CODE else None


def _homoglyph(found: re.Match[str], _: random.Random) -> str:
    return found[0].translate(str.maketrans("aeopcxy", "аеорсху"))[:1] + found[0][1:]


def _without(line: str, letters: str) -> str:
    at = max(line.rfind(each) for each in letters)
    return line[:at] + line[at + 1 :]


def _bad_indent(sample: Sample, _: random.Random) -> Sample | None:
    added = list(sample.added)
    places = [at for at, line in enumerate(added) if re.match(r"\s+(?:return|if|for|self)\b.*[\w)\]:]$", line)]
    if sample.suffix != ".py" or not places:
        return None
    added[places[0]] = "   " + added[places[0]]
    return sample.mutated(added)


def _swap(found: re.Match[str], _: random.Random) -> str:
    return f"{found[1]}({found[3]}, {found[2]})" if found[2] != found[3] else found[0]


def _variable(sample: Sample, chance: random.Random) -> Sample | None:
    """One use of a name becomes another name of the hunk."""
    text = "\n".join(sample.added)
    names = sorted(set(re.findall(r"(?<![\w.\"'])[a-z_][a-z_0-9A-Z]{2,}(?=[,)\]])", text)))
    if sample.suffix not in _CODE or len(names) < 2:
        return None
    one, other = chance.sample(names, 2)
    return _in_line(rf"(?<![\w.\"']){one}(?=[,)\]])", lambda _, __: other)(sample, chance)


_OPPOSITE: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "!=", "!=": "==", "===": "!==", "!==": "===", "+": "-", "-": "+"}
_TURNED: Final = {"True": "False", "False": "True", "true": "false", "false": "true"}
_JOINED: Final = {"and": "or", "or": "and", "&&": "||", "||": "&&"}
_PY: Final = frozenset((".py",))
_BREAKPOINTS: Final = ["breakpoint()", "import pdb; pdb.set_trace()"]
_PRINTS: Final = ['print("here")', 'print(f"{self=}")']
_FOCUSED: Final = ["it.only('works', () => {});", "describe.only('all', () => {});"]
_SQL: Final = "cursor.execute(f\"SELECT * FROM users WHERE name = '{name}'\")"

KINDS: Final = (
    *(Kind(f"secret: {name}", True, _secret(make)) for name, make in SECRETS.items()),
    Kind("secret: private key", True, _private_key),
    Kind("secret: random value under a telling name", True, _entropy),
    Kind("secret: password with digits and signs", True, _password),
    Kind("conflict: markers", True, _conflict),
    Kind("conflict: markers with base", True, lambda s, c: _conflict(s, c, base=True)),
    Kind("conflict: one marker left", True, _lone_marker),
    Kind("syntax: bracket lost", True, _in_line(r".*[)\]}].*", lambda f, _: _without(f[0], ")]}"), _PARSED)),
    Kind("syntax: bracket too many", True, _in_line(r"[)\]}](?=\s*[;,:]?\s*$)", lambda f, _: f[0] * 2, _PARSED)),
    Kind("syntax: quote lost", True, _in_line(r"([\"'])[^\"'\\]{1,40}\1", lambda f, _: f[0][:-1], _PARSED)),
    Kind("syntax: line cut off", True, _in_line(r"(?<=\w) ?(?:=|\+|\(|\.|==)[^=].*$", lambda f, _: f[0].strip()[:1] + " =", _PARSED)),
    Kind("syntax: indentation", True, _bad_indent),
    Kind("syntax: colon lost", True, _in_line(r"(?<=[\w)\]]):$", lambda _, __: "", _PY)),
    Kind("debug: breakpoint", True, _inserted({".py": _BREAKPOINTS, ".rb": ["binding.pry"], **_for_scripts(["debugger;"])})),
    Kind("debug: print", True, _inserted({".py": _PRINTS, **_for_scripts(['console.log("here", this);'])}, tests=False)),
    Kind("debug: focused test", True, _inserted(_for_scripts(_FOCUSED), tests=True)),
    Kind("debug: do not commit", True, _noted),
    Kind("hidden: reading order", True, _bidi),
    Kind("hidden: zero width", True, _in_line(r"\b[a-z]{3,}(?=[a-z]{3})", lambda f, _: f[0] + "\u200b")),
    Kind("hidden: other alphabet", True, _in_line(r"\b[aeopcxy][a-z]{3,}\b", _homoglyph)),
    Kind("meaning: off by one", False, _in_line(r"(?<=[\w\])]) (<|>)(?= [\w(])", lambda f, _: f" {f[1]}=")),
    Kind("meaning: limit moved", False, _in_line(r"(?:range|len|slice|substring)\(([\w.]+)\)", lambda f, _: f[0] + " + 1")),
    Kind("meaning: condition negated (Python)", False, _in_line(r"(?<=\bif )(?!not )(?=\w)", lambda _, __: "not ", _PY)),
    Kind("meaning: condition negated (others)", False, _in_line(r"(?<=if \()(?!!)(?=\w)", lambda _, __: "!", _BRACES)),
    Kind("meaning: comparison turned", False, _in_line(r"(?<= )(<|>|<=|>=|===?|!==?)(?= )", lambda f, _: _OPPOSITE[f[1]])),
    Kind("meaning: arguments swapped", False, _in_line(r"(\w+)\((\w+), (\w+)\)", _swap)),
    Kind("meaning: null check removed", False, _in_line(r".*\bif\b.*\b(?:None|null|undefined|nil|nullptr|NULL)\b.*", lambda _, __: "")),
    Kind("meaning: await removed", False, _in_line(r"\bawait ", lambda _, __: "")),
    Kind("meaning: return removed", False, _in_line(r"\breturn (?=[\w.]+\()", lambda _, __: "")),
    Kind("meaning: operator changed", False, _in_line(r"(?<=\w )([+-])(?= \w)", lambda f, _: _OPPOSITE[f[1]])),
    Kind(
        "meaning: and becomes or",
        False,
        _in_line(r"(?<= )(and|&&|or|\|\|)(?= )", lambda f, _: _JOINED[f[1]]),
    ),
    Kind(
        "meaning: truth turned",
        False,
        _in_line(r"\b(True|False|true|false)\b", lambda f, _: _TURNED[f[1]]),
    ),
    Kind("meaning: other variable", False, _variable),
    Kind("meaning: constant changed", False, _in_line(r"(?<=[=(,<>] )([1-9]\d*)\b(?!\.)", lambda f, _: str(int(f[1]) + 1))),
    Kind("meaning: error swallowed", False, _in_line(r"^(\s*)raise\b.*$", lambda f, _: f"{f[1]}pass", _PY)),
    Kind(
        "meaning: any error caught",
        False,
        _in_line(r"\bexcept \(?[A-Z][\w., ]*\)?(?: as \w+)?:", lambda _, __: "except Exception:", _PY),
    ),
    Kind(
        "meaning: mutable default",
        False,
        _in_line(r"(?<=\w)(: [\w\[\], |.]+)? ?= ?None(?=[,)])", lambda f, _: f"{f[1] or ''}=[]", _PY),
    ),
    Kind(
        "meaning: file not closed",
        False,
        _in_line(r"with (open\([^)]*\)) as (\w+):", lambda f, _: f"if {f[2]} := {f[1]}:", _PY),
    ),
    Kind("meaning: SQL from input", False, _both(_SQL, "db.query(`SELECT * FROM users WHERE name = '${req.query.name}'`);")),
    Kind("meaning: path from input", False, _both('open("/srv/" + request.args["f"]).read()', "res.sendFile('/srv/' + req.query.f);")),
    Kind("meaning: shell from input", False, _both('subprocess.run(f"tar xf {name}", shell=True)', "exec('tar xf ' + req.query.name);")),
    Kind("meaning: certificate not checked", False, _both("session.verify = False", "agent.options.rejectUnauthorized = false;")),
    Kind("meaning: fixed short timeout", False, _in_line(r"timeout ?= ?[\w.]+", lambda _, __: "timeout=0.01")),
    Kind("meaning: break removed", False, _in_line(r"^\s*break;?$", lambda _, __: "")),
    Kind("meaning: lock removed", False, _in_line(r"\bwith (?:self\.)?_?\w*lock\w*:", lambda _, __: "if True:", _PY)),
)
"""Every kind. `checks` says what instant checks are for; the others only a model, or a person, can find."""
