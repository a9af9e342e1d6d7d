"""Which commands want the terminal for themselves, as far as their names tell. Pure, and no question of safety.

What this module does not do: run anything, or notice a program that turns out to want it (`shell_text` does).
"""

import re
import shlex
from typing import Final

_ALWAYS: Final = frozenset(
    "vi vim nvim view vimdiff nano pico emacs micro helix hx kak joe ne less more most man info top htop btop atop nmon glances watch "
    "ssh mosh telnet sftp ftp tmux screen zellij byobu mc ranger lf nnn vifm lazygit lazydocker gitui tig k9s ncdu dialog whiptail "
    "passwd su login sudoedit visudo vipw crontab fzf gdb lldb aptitude nmtui cfdisk minicom picocom w3m lynx links elinks mutt "
    "script asciinema".split()
)
_BARE: Final = frozenset(
    "python python3 ipython bpython node deno bun irb pry ghci julia R lua php psql mysql mariadb sqlite3 redis-cli mongosh bash zsh sh "
    "fish dash ksh bc dc claude aider kimicode".split()
)
"""These talk with the user where nothing follows them."""

_BEFORE: Final = frozenset("sudo doas env command exec nohup time nice stdbuf builtin".split())
_SPLIT: Final = re.compile(r"&&|\|\||[;|&\n]")
_ASSIGNED: Final = re.compile(r"[A-Za-z_]\w*=")
_GIT: Final = frozenset({("add", "-p"), ("add", "-i"), ("add", "--patch"), ("rebase", "-i"), ("commit", "-p")})

_SAID: Final = frozenset({"-m", "--message", "-F", "--file", "-C", "--reuse-message", "--no-edit", "--fixup"})
_SAID_IN_ONE: Final = ("-m", "-am", "--message=", "--file=", "--fixup=")


def wants_terminal(command: str) -> bool:
    """True where one of the commands in it is known for using the whole terminal, or for asking there."""
    return any(_wants(part) for part in _SPLIT.split(command))


def _wants(part: str) -> bool:
    try:
        words = shlex.split(part)
    except ValueError:
        words = part.split()
    asks = False
    while words and (_ASSIGNED.match(words[0]) or words[0] in _BEFORE):
        # They ask for a password on the terminal, if they need one.
        asks = asks or (words[0] in ("sudo", "doas") and "-n" not in words[1:2])
        words = words[1:]
    if not words:
        return asks
    name = words[0].rpartition("/")[2]
    if name == "git":
        return asks or _git_wants(words[1:])
    return asks or name in _ALWAYS or (name in _BARE and len(words) == 1)


def _git_wants(words: list[str]) -> bool:
    """An editor or a choice of pieces; a pager is switched off where commands run in the window."""
    if tuple(words[:2]) in _GIT:
        return True
    return words[:1] == ["commit"] and not any(word in _SAID or word.startswith(_SAID_IN_ONE) for word in words)
