"""Every attack in every tier, as an unprivileged user: it does what the table says, and its controls hold."""

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
        self.of = cache(folder.run)


@pytest.mark.timeout(170)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
@pytest.mark.parametrize("tier", TIERS, ids=lambda tier: tier.value)
def test_attack(deeds: Deeds, tier: Tier, attack: Attack) -> None:
    done: Deed = deeds.of(tier)[attack.id]
    assert done.control, f"the control failed, so this proves nothing: {done.evidence}"
    assert done.harmed == (attack.expected[tier] != "held"), done.evidence
