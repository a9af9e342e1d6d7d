"""The one error tree of kimicode; every leaf that reaches a user knows its documented exit code.

    KimicodeError            1    the task was not achieved, or something unexpected
    ├── UsageError           2    the command line, a settings file or an input file is wrong
    ├── ContractError        4    the model's answer broke its contract (schema, unusable output)
    ├── UnavailableError    69    endpoint or engine can't be reached, refused the key, or does not know the model
    ├── TemporaryError      75    the same call may work later (rate limit, overload, connection lost)
    ├── RefusedError        77    permission or sandbox said no
    ├── BudgetReached      124    a budget or deadline was reached
    ├── Interrupted        130    the user stopped the run
    ├── SessionError         1    a session log can't be written or read
    └── ToolError            1    a tool could not do its job; the message goes back to the model

A message says what failed, where, and what to do next. What this module does not do: print.
"""

from typing import ClassVar


class KimicodeError(Exception):
    """Base of every error that kimicode raises on purpose. `hint` is the next step for the user, if there is one."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(KimicodeError):
    """The command line, a settings file or an input file is wrong."""

    exit_code = 2


class ContractError(KimicodeError):
    """The model's answer broke its contract: it does not validate, or there is nothing usable in it."""

    exit_code = 4


class UnavailableError(KimicodeError):
    """The endpoint or the engine can't be used, and trying again would not help."""

    exit_code = 69


class TemporaryError(KimicodeError):
    """The same call may work later. `retry_after` is the server's own advice in seconds, if it gave one."""

    exit_code = 75

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class RefusedError(KimicodeError):
    """A permission or the sandbox refused an effect. Nothing was done."""

    exit_code = 77


class BudgetReached(KimicodeError):
    """A budget (steps, tokens, seconds, money) was spent. What was done so far is kept."""

    exit_code = 124


class Interrupted(KimicodeError):
    """The user stopped the run. The session can be resumed."""

    exit_code = 130


class SessionError(KimicodeError):
    """A session log can't be written or read."""


class ToolError(KimicodeError):
    """A tool could not do its job. The text is written for the model: what was wrong and what to do instead."""
