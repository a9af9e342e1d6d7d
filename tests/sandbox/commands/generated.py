"""Random shell commands: nested constructs around stub programs, and damage to them."""

import random

from tests.sandbox.commands.executed import STUBS

_DAMAGE = [
    *"`'\"$(){}<>|&;#\\\n [!=*~-",
    "$(",
    "`kcg`",
    "<<E\n",
    "\nE\n",
    "\\\n",
    "$'",
    ";;",
    "&&",
    "((",
    "))",
    "[[ ",
    " ]]",
    "esac",
    "${",
    "}",
    "kcg",
]


class Generator:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def command(self) -> str:
        text = self._list(self.random.randint(0, 3))
        if self.random.random() < 0.5:
            for _ in range(self.random.randint(1, 3)):
                at = self.random.randint(0, len(text))
                removed = self.random.random() < 0.3
                text = text[:at] + text[at + 1 :] if removed else text[:at] + self.random.choice(_DAMAGE) + text[at:]
        return text

    def _list(self, depth: int) -> str:
        joints = ["; ", "\n", " && ", " || ", " | ", " & ", " |& ", ";", "\n\n", " # x'\n", " \\\n; "]
        text = self._one(depth)
        for _ in range(self.random.randint(0, 2)):
            text += self.random.choice(joints) + self._one(depth)
        return text

    def _one(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.35:
            return self._simple(depth)
        inner = self._list(depth - 1)
        quoted = inner.replace("'", "'\\''")
        forms = [
            f"({inner})",
            f"{{ {inner}\n}}",
            f"if {inner}\nthen {self._simple(0)}; else {inner}\nfi",
            f"for v in {self._word(depth - 1)} b; do {inner}\ndone",
            f"while {inner}\n! :; do :; done",
            f"case {self._word(depth - 1)} in {self.random.choice(['kc*', 'a|b', '(x'])}) {inner}\n;; *) {self._simple(0)};; esac",
            f"fn{self.random.randint(0, 9)}() {{ {inner}\n}}; {self._simple(0)}",
            f"! {inner}",
            f"time {self._simple(0)}",
            f"bash -c '{quoted}'",
            f"eval '{quoted}'",
            f"{self._wrapper()} {self._simple(depth - 1)}",
            f"{self._wrapper()} bash -c '{quoted}'",
            f"{self._simple(0)} <<E\n{self._heredoc(depth - 1)}\nE\n{self._simple(0)}",
            f"{self._simple(0)} <<'E' && {self._simple(0)}\n{inner}\nE\n",
            f"[[ {self._word(depth - 1)} == {self._word(0)} ]] && {inner}",
            f"v={self._word(depth - 1)} {self._simple(0)}",
            f"w={self._word(depth - 1)}; {inner}",
            f"echo $((1 + {self.random.choice(['2', 'n', '$v', '$(kca)'])})); {inner}",
            f"n={self.random.choice(['1', '$((2))', self._word(0)])}; (( n > 0 )) && {inner}",
            f"kca < <({inner}\n)",
            f"{inner} > out",
            f"echo x | xargs {self._simple(0)}",
        ]
        return self.random.choice(forms)

    def _wrapper(self) -> str:
        return self.random.choice(["env", "env V=1", "nohup", "timeout 2", "nice", "command", "nice -n 1", "builtin command"])

    def _simple(self, depth: int) -> str:
        words = [self.random.choice(STUBS), *(self._word(depth) for _ in range(self.random.randint(0, 3)))]
        return " ".join(words) + self.random.choice(["", "", "", " 2>&1", " >/dev/null", " 2>>log"])

    def _heredoc(self, depth: int) -> str:
        return self.random.choice(
            ["x", f"$({self._list(depth)})", "`kcb x`", "${x:-$(kcc)}", "\\$(kcg)", "'$(kcd)'", '"`kcd`"', "a\\", "$((1+1))"]
        )

    def _word(self, depth: int) -> str:
        plain = [
            "a",
            "-x",
            "'a b'",
            '"a b"',
            "a\\ b",
            "$v",
            '"$v"',
            "${v:-d}",
            "x{1,2}y",
            "*",
            "'$(kcg)'",
            "\\$kcg",
            "$'a\\'b'",
            "a'b'\"c\"",
            "#",
            "a#b",
            "''",
            "~",
            "$((1+1))",
            "'a[$(kcg)]'",
            '"\\$(kcg)"',
            "'; kcg'",
            "{}",
            "=",
            "!",
            "[",
            "]]",
            "é",
            "a=b",
            "${#v}",
            "${v%x}",
            "$?",
            "\\;",
            '"\\\\"',
        ]
        if depth <= 0 or self.random.random() < 0.6:
            return self.random.choice(plain)
        inner = self._list(depth - 1)
        return self.random.choice(
            [f"$({inner}\n)", f'"$({inner}\n)"', f"a$({inner}\n)b", "`kcb x`", '"`kcb`"', f"${{v:-$({inner}\n)}}", f"<({inner}\n)"]
        )
