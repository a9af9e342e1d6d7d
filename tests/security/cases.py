"""The sixty numbered cases, and the tests elsewhere that belong to them."""

from typing import Final

import msgspec


class Case(msgspec.Struct, frozen=True):
    """A numbered case. `elsewhere` are tests in other rooms, as `file::function`."""

    title: str
    elsewhere: tuple[str, ...] = ()


CASES: Final[dict[int, Case]] = {
    1: Case("Absolute write outside", ("tests/sandbox/test_policy.py::test_outside_is_refused_to_read_and_write",)),
    2: Case("`../` write", ("tests/sandbox/test_policy.py::test_outside_is_refused_to_read_and_write",)),
    3: Case("Write through a link to a file"),
    4: Case("Write through a link to a folder"),
    5: Case("A link among the folders above a path that does not exist"),
    6: Case("A link swapped between check and use"),
    7: Case("A patch that makes a link and writes through it"),
    8: Case("A submodule's path"),
    9: Case("Hard links"),
    10: Case("Magic links of processes", ("tests/sandbox/test_policy.py::test_parts_of_a_process_are_no_files",)),
    11: Case("Moves in and out"),
    12: Case("Metadata outside"),
    13: Case("Special files"),
    14: Case("Protected names in other spellings", ("tests/sandbox/test_protected.py::test_every_spelling_of_git",)),
    15: Case("Paths that are no paths", ("tests/sandbox/test_policy.py::test_what_can_not_be_a_path_is_an_error",)),
    16: Case("File tools obey the policy of commands", ("tests/sandbox/test_policy.py::test_a_boundary_draws_the_same_lines",)),
    17: Case("Secrets", ("tests/sandbox/test_policy.py::test_hidden_paths_are_refused_even_in_the_workspace",)),
    18: Case("Git's own files", ("tests/sandbox/test_guard.py::test_it_is_put_back_and_reported",)),
    19: Case("A repository made where none was", ("tests/sandbox/test_protected.py::test_paths_at_the_root_even_where_missing",)),
    20: Case("Missing configuration", ("tests/sandbox/test_protected.py::test_executable_configuration",)),
    21: Case("A worktree's pointer", ("tests/sandbox/test_protected.py::test_the_real_folder_behind_a_pointer",)),
    22: Case("Configuration that is a link", ("tests/sandbox/test_protected.py::test_a_link_at_the_root_fails_closed",)),
    23: Case("Temporary folders and predictable names", ("tests/sandbox/test_capture.py::test_a_full_disk_leaves_no_half_file",)),
    24: Case("Sockets of every kind"),
    25: Case("io_uring"),
    26: Case("Other system call tables"),
    27: Case("Unix sockets"),
    28: Case("Inherited descriptors"),
    29: Case("Spellings of hosts"),
    30: Case("An empty list of hosts"),
    31: Case("Memory and environment of other processes"),
    32: Case("Signals"),
    33: Case("Namespaces and mounts"),
    34: Case("Privileges"),
    35: Case("The terminal"),
    36: Case("Detached children"),
    37: Case("Resources", ("tests/sandbox/test_run.py::test_a_command_that_prints_for_ever_is_bounded_and_stopped",)),
    38: Case("The agent is killed"),
    39: Case("Secrets in the environment", ("tests/sandbox/test_environment.py::test_secret",)),
    40: Case("Variables that change what runs", ("tests/sandbox/test_environment.py::test_never_seen_even_when_passed",)),
    41: Case("Secrets in what is written down"),
    42: Case("What the repository says leaves the machine"),
    43: Case("Chains, substitutions and wrappers in commands"),
    44: Case("Assignments before a command"),
    45: Case("Redirects"),
    46: Case("Very long commands"),
    47: Case("Other paths to a program"),
    48: Case("An approval covers what was shown"),
    49: Case("The shell that reads is the shell that was judged"),
    50: Case("Invisible characters in a command"),
    51: Case("Nothing of a repository runs before it is trusted"),
    52: Case("Settings in a repository"),
    53: Case("Trust is bound to content"),
    54: Case("Changed servers"),
    55: Case("Injected instructions that a model obeys"),
    56: Case("Nobody at the terminal"),
    57: Case("Control sequences"),
    58: Case("Pasted text"),
    59: Case("Approvals that can't be covered"),
    60: Case("The engine's socket"),
}
