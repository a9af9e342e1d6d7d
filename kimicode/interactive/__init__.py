"""What the full-screen UI and the line mode share: a session at work, what there is to see of it, and every command a person can give.

    Desk ── Host           the session, its agent on a thread of its own; events come back in batches
      ├──── Transcript     events → blocks, what was said and done, in order
      ├──── Status         events → what is so at the moment: phase, tokens, cost, plan, files
      ├──── Waiting        what the user wants next, while the agent is busy
      └──── COMMANDS       /help, /model, /rewind …, written once against `Person`

A user interface draws blocks and status, and is the `Person`: it can show a page, let somebody choose, or ask for a word. Nothing in here
knows a widget or writes to a terminal.
"""
