"""Everything that asks or shows something on top of the transcript, and the `Person` who answers with it.

    base        a dialog: opened and awaited from any task, closed once
    quiet       when a key may count as an answer, pure
    approval    a call that waits for a person
    picker, page, form, word, confirm, work      one for each method of `Person`
    palette     commands for Textual's command palette
    help        keys and words about what is focused
    person      `TuiPerson`

Texts in here come from outside: every one of them passes `kimicode.tui.dialogs.words` on its way into a widget.
"""
