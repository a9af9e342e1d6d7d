"""How a run ended: from the error that ended it, or none, to the status that events carry.

What this module does not do: choose exit codes (every error knows its own).
"""

import asyncio

from kimicode.errors import (
    BudgetReached,
    ContractError,
    Interrupted,
    KimicodeError,
    RefusedError,
    TemporaryError,
    UnavailableError,
)
from kimicode.events import RunStatus


def status_of(error: KimicodeError | None) -> RunStatus:
    """The run status that stands for an error; `done` for none."""
    match error:
        case None:
            return "done"
        case ContractError():
            return "contract"
        case UnavailableError():
            return "unavailable"
        case TemporaryError():
            return "temporary"
        case RefusedError():
            return "refused"
        case BudgetReached():
            return "budget"
        case Interrupted():
            return "interrupted"
        case _:
            return "failed"


def error_of(work: "asyncio.Task[None]") -> KimicodeError | None:
    """Why a finished task did not end well. Anything that is not a `KimicodeError` is reported as a fault of the program."""
    if work.cancelled():
        return KimicodeError("the run was cancelled from inside", hint="This is a fault in a tool or a model client; please report it.")
    match work.exception():
        case None | KimicodeError() as error:
            return error
        case error:
            return KimicodeError(f"unexpected {type(error).__name__}: {error}", hint="This is a fault in kimicode; please report it.")
