"""Every attack in every tier, as an unprivileged user: it does what the table says, and its controls hold."""

import subprocess
from collections.abc import Iterator
from functools import cache

import pytest

from kimicode.sandbox.boundary import Tier
from tests.security.attacks import ATTACKS
from tests.security.case import Attack
from tests.security.host import Deed, Stage, stage

TIERS = (Tier.BUBBLEWRAP, Tier.LANDLOCK, Tier.NONE)


@pytest.fixture(scope="module")
def folder() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture(scope="module")
def deeds(folder: Stage) -> "Deeds":
    return Deeds(folder)


class Deeds:
    """What the attacks did, by tier; each tier runs once."""

    def __init__(self, folder: Stage) -> None:
        self._run = cache(lambda tier: _tried(folder, tier))

    def of(self, tier: Tier) -> dict[str, Deed]:
        deeds = self._run(tier)
        assert not isinstance(deeds, str), deeds
        return deeds


def _tried(folder: Stage, tier: Tier) -> dict[str, Deed] | str:
    """The deeds, or why there are none: that is said for each attack, and not tried again for each."""
    try:
        return folder.run(tier)
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
@pytest.mark.parametrize("tier", TIERS, ids=lambda tier: tier.value)
def test_attack(deeds: Deeds, tier: Tier, attack: Attack) -> None:
    done: Deed = deeds.of(tier)[attack.id]
    assert done.control, f"the control failed, so this proves nothing: {done.evidence}"
    assert done.harmed == (attack.expected[tier] != "held"), done.evidence
