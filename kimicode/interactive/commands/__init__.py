"""Every slash command there is, in the order in which help lists them; both user interfaces read this and nothing else.

    COMMANDS            all of them
    find("model")       by name or alias, or None
    await perform(desk, "/model kimi-nano")     run one as it was typed; what is wrong is said to the person

What this package does not do: draw anything. A command talks to the person through `Desk.person`.
"""
