"""The empty line between two blocks: between things of different kinds there is one, within a row of calls or notices there is none.

What this module does not do: know whether a block has anything to be seen.
"""

from kimicode.interactive.view.blocks import Block, Called, Thought, Told


def gap_before(block: Block, above: Block | None) -> int:
    """How many empty lines stand above `block`, whose predecessor is `above`."""
    if above is None or (isinstance(block, Called | Thought) and isinstance(above, Called | Thought)):
        return 0
    return 0 if isinstance(block, Told) and isinstance(above, Told) else 1
