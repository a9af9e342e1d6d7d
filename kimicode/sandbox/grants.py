"""What a person allowed for the session: exactly what was shown to them, and nothing like it.

A command is granted by its whole text. Where it was nothing but commands one after another, each of them is granted too, but only for
use in such a sequence again: `rm x` after `cd /elsewhere`, or at the end of a pipe, is another thing. Grants live here and not in
the transcript, so nothing that happens to the conversation changes them. "Always" comes with a rule, which was shown as well.
What this module does not do: ask (`approval`), or outlive the process.
"""

import msgspec

from kimicode.sandbox.commands.analysis import simple_commands
from kimicode.sandbox.commands.parts import Analysis, Part


class Grants(msgspec.Struct, frozen=True):
    """A value: each `with_…` gives the next one. Paths are real and absolute, hosts canonical with their port."""

    commands: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    hosts: frozenset[tuple[str, int]] = frozenset()
    tools: frozenset[str] = frozenset()
    rules: tuple[str, ...] = ()

    def with_command(self, analysis: Analysis) -> "Grants":
        """The command as it was shown."""
        texts = {analysis.text}
        if analysis.sequence:
            texts |= {part.source for part in simple_commands(analysis)}
        return msgspec.structs.replace(self, commands=self.commands | texts)

    def with_read(self, path: str) -> "Grants":
        """Reading one file or folder."""
        return msgspec.structs.replace(self, reads=self.reads | {path})

    def with_write(self, path: str) -> "Grants":
        """Writing one file."""
        return msgspec.structs.replace(self, writes=self.writes | {path})

    def with_host(self, host: str, port: int) -> "Grants":
        """Reaching one host at one port."""
        return msgspec.structs.replace(self, hosts=self.hosts | {(host, port)})

    def with_tool(self, name: str) -> "Grants":
        """Calling one tool."""
        return msgspec.structs.replace(self, tools=self.tools | {name})

    def with_rule(self, rule: str) -> "Grants":
        """A rule that allows from now on, as it stands in the settings too, if it could be written there."""
        return self if rule in self.rules else msgspec.structs.replace(self, rules=(*self.rules, rule))

    def cover(self, analysis: Analysis) -> bool:
        """True for a command that was shown as it is."""
        return analysis.text in self.commands

    def cover_part(self, part: Part, analysis: Analysis) -> bool:
        """True for a command that was shown alone or in a sequence, and is in one now."""
        return analysis.sequence and part.source in self.commands
