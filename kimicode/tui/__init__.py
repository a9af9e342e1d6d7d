"""The full-screen user interface: a Textual application over `kimicode.interactive`.

    draw/         blocks → lines, pure, without an application
    transcript/   one widget that shows any number of blocks
    prompt/       the editor
    dialogs/      everything that asks or shows something on top
    app.py        puts them together

What this package does not do: know the agent (`Desk` does), or what commands do (`kimicode.interactive.commands`).
"""
