"""What somebody types, for both user interfaces: what it means, how it is completed, what a long paste becomes, what is remembered.

    meaning.py    text → a command, a shell command, or words; `@path` in words
    complete.py   text and cursor → what could stand there
    files.py      the paths of the workspace, searched by `fuzzy.py`
    tokens.py     long pastes and pictures, as one short token each
    history.py    prompts of earlier sessions
    external.py   the user's own editor, and pictures on the clipboard

What this package does not do: know a key or a widget, run a command, or read a file that is mentioned.
"""
