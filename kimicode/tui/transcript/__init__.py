"""One widget that shows any number of blocks, and draws only those that can be seen.

    sums.py      counts with prefix sums: how many lines, or matches, come before
    heights.py   a line count for every block, guessed until it is drawn
    anchor.py    where the view is, and what can be seen from there
    cache.py     blocks that are drawn, as many as there is room for
    folds.py     which blocks are folded
    spacing.py   the empty lines between blocks
    texts.py     the text of a block, to be searched and copied
    sheet.py     the blocks with all of that: what is known of how they look
    search.py    a search that goes on in slices
    rows.py      a line of the screen
    picking.py   what a selection with the mouse copies
    messages.py  what the widget tells the application
    viewport.py  keeps its place, and paints
    view.py      the widget

All but the last three know no application.
"""
