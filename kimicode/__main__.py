"""The entry point. `--version` is answered here, before the command line's library is imported: it must be instant."""

import sys

from kimicode import __version__


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"kimicode {__version__}\n")
        return
    from kimicode.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
