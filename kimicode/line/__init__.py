"""The line mode: a session as plain lines, one after the other. It is the accessible mode.

    mode      ── opens the session, reads what the person types, prints what there is to hear
      ├─ telling   blocks that grow → lines, each said once and whole
      │    └─ speak, calls, diffs, words   what a block, a call, a change sounds like; pure
      ├─ announce  what must be heard although nobody asked: a question, a change of the queue, of the model
      ├─ person    choices by number, pages, forms, approvals
      └─ reader    the port to a terminal: `prompting` edits a line, `plain` takes what a dumb terminal or a pipe gives

What is printed stays as it was printed: no box, no spinner, no moved cursor, nothing drawn twice. What this package does not do: decide
anything about the session (`kimicode.interactive` does).
"""
