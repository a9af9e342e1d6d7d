"""All attacks that run in a world, in the order of their cases."""

from tests.security.attacks import environment, filesystem, metadata, network, process, tools

ATTACKS = sorted(
    (attack for module in (filesystem, tools, metadata, network, process, environment) for attack in module.CATALOGUE.attacks),
    key=lambda attack: attack.case,
)
