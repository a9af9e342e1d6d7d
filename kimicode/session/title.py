"""Where the user's own words begin in a session's first message.

The first message may start with a block of facts about the environment; the words follow its end tag. The writer of the block
(`agent.opening`) makes sure that the tag stands nowhere else in it. What this module does not do: build that block.
"""

ENVIRONMENT_START = "<environment>\n"
ENVIRONMENT_END = "\n</environment>\n\n"


def user_words(content: str) -> str:
    """The first user message without its block of environment facts."""
    if not content.startswith(ENVIRONMENT_START):
        return content
    _, end, words = content.partition(ENVIRONMENT_END)
    return words if end else content
