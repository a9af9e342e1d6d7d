"""An attack and what is expected of it in each tier: the rows of the tables in docs/attacks.md."""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from kimicode.sandbox.boundary import Tier
from tests.security.world import World

PUT_BACK: Final = "put back when the command is over"
Verdict = Literal["held", "gap", "open", "allowed"]


class Attack(msgspec.Struct, frozen=True):
    """`run` returns True where it did harm, or where what is allowed worked.

    Expected is `held` (no harm), `gap` (harm that this tier can't prevent, for the reason in `why`), `open` (harm, since nothing holds it
    there) or `allowed` (legitimate work). `put_back`: tier 2 lets it happen and undoes it.
    """

    id: str
    case: int
    title: str
    run: Callable[[World], bool]
    expected: dict[Tier, Verdict]
    why: str = ""
    put_back: bool = False


class Catalogue:
    """Attacks, collected by the decorators of their modules."""

    def __init__(self) -> None:
        self.attacks: list[Attack] = []

    def add(
        self,
        case: int,
        title: str,
        *,
        bwrap: Verdict = "held",
        landlock: Verdict = "held",
        none: Verdict = "open",
        why: str = "",
        put_back: bool = False,
    ) -> Callable[[Callable[[World], bool]], Callable[[World], bool]]:
        """The decorated function is an attack of the numbered case."""

        def decorate(run: Callable[[World], bool]) -> Callable[[World], bool]:
            expected: dict[Tier, Verdict] = {Tier.BUBBLEWRAP: bwrap, Tier.LANDLOCK: landlock, Tier.NONE: none}
            self.attacks.append(
                Attack(
                    f"{case}-{run.__name__.replace('_', '-')}", case, title, run, expected, why or (PUT_BACK if put_back else ""), put_back
                )
            )
            return run

        return decorate
