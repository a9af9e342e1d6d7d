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
    29: Case(
        "Spellings of hosts",
        (
            "tests/sandbox/test_hosts.py::test_what_was_not",
            "tests/sandbox/test_proxy.py::test_a_host_that_is_not_allowed_is_neither_looked_up_nor_reached",
            "tests/sandbox/test_proxy.py::test_a_redirect_is_a_request_of_its_own",
            "tests/sandbox/test_proxy.py::test_a_name_that_stands_for_this_machine_is_refused_though_allowed",
        ),
    ),
    30: Case(
        "An empty list of hosts",
        ("tests/sandbox/test_hosts.py::test_an_empty_list_allows_nothing",),
    ),
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
    41: Case(
        "Secrets in what is written down",
        ("tests/security/test_product.py::test_a_key_is_in_nothing_that_is_written_down",),
    ),
    42: Case("What the repository says leaves the machine"),
    43: Case(
        "Chains, substitutions and wrappers in commands",
        (
            "tests/security/test_approval.py::test_no_chain_or_wrapper_hides_a_command",
            "tests/security/test_approval.py::test_a_deny_rule_reaches_into_every_wrapper",
        ),
    ),
    44: Case(
        "Assignments before a command",
        ("tests/security/test_approval.py::test_assignments_are_judged",),
    ),
    45: Case(
        "Redirects",
        ("tests/security/test_approval.py::test_redirects_are_judged",),
    ),
    46: Case(
        "Very long commands",
        ("tests/security/test_approval.py::test_what_is_too_long_is_never_allowed",),
    ),
    47: Case(
        "Other paths to a program",
        ("tests/security/test_approval.py::test_another_program_by_the_same_name_is_not_allowed",),
    ),
    48: Case(
        "An approval covers what was shown",
        ("tests/security/test_approval.py::test_a_grant_covers_what_was_shown_and_no_more",),
    ),
    49: Case("The shell that reads is the shell that was judged"),
    50: Case(
        "Invisible characters in a command",
        ("tests/security/test_approval.py::test_invisible_characters_are_never_allowed_and_are_shown",),
    ),
    51: Case(
        "Nothing of a repository runs before it is trusted",
        ("tests/security/test_product.py::test_nothing_of_a_repository_runs_by_itself",),
    ),
    52: Case(
        "Settings in a repository",
        (
            "tests/security/test_product.py::test_a_repository_can_not_change_settings",
            "tests/security/test_approval.py::test_a_repository_brings_no_servers_hooks_or_settings",
        ),
    ),
    53: Case(
        "Trust is bound to content",
        ("tests/security/test_approval.py::test_trust_is_of_content",),
    ),
    54: Case(
        "Changed servers",
        ("tests/security/test_approval.py::test_a_repository_brings_no_servers_hooks_or_settings",),
    ),
    55: Case(
        "Injected instructions that a model obeys",
        ("tests/security/test_product.py::test_a_model_that_obeys_injected_text_is_stopped_by_the_policy",),
    ),
    56: Case(
        "Nobody at the terminal",
        ("tests/security/test_approval.py::test_nobody_says_no",),
    ),
    57: Case(
        "Control sequences",
        (
            "tests/test_text.py::test_shown_inert",
            "tests/test_text.py::test_no_control_gets_through",
            "tests/test_text.py::test_no_module_writes_to_a_terminal_past_the_safe_functions",
        ),
    ),
    58: Case(
        "Pasted text",
        ("tests/security/test_approval.py::test_the_end_of_a_paste_in_a_paste_is_inert",),
    ),
    59: Case(
        "Approvals that can't be covered",
        (
            "tests/security/test_approval.py::test_a_long_command_is_shown_whole_and_each_part_of_it",
            "tests/test_text.py::test_every_text_can_be_read_back_from_its_exact_form",
        ),
    ),
    60: Case(
        "The engine's socket",
        (
            "tests/engine/test_daemon.py::test_an_engine_answers_over_a_private_socket_and_ends_on_sigterm",
            "tests/engine/test_access.py::test_a_local_port_answers_to_local_names_only",
            "tests/engine/test_access.py::test_a_port_with_a_token_wants_it",
        ),
    ),
}
