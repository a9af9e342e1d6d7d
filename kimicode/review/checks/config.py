"""What instant checks may be told: limits, rules that are off, files that are not looked at. Data only, with defaults for everybody."""

import msgspec


class CheckConfig(msgspec.Struct, frozen=True):
    """How instant checks judge.

    `disabled`: rules that are off, by full id or by group. `excluded`: file patterns as .gitignore reads them; nothing is said about
    such files. `max_file_bytes`: larger additions are reported; `max_binary_bytes` is the same for binary files. `max_judged_chars`: longer
    texts are not parsed; `max_parsed_chars` bounds what is parsed for one change in all, the smallest files first.
    """

    disabled: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    max_file_bytes: int = 2 << 20
    max_binary_bytes: int = 1 << 20
    max_judged_chars: int = 1_000_000
    max_parsed_chars: int = 4_000_000

    def is_off(self, rule: str) -> bool:
        """True for a rule that is disabled by itself or with its group."""
        return rule in self.disabled or rule.partition("/")[0] in self.disabled
