"""`python -m engine serve`: run one engine in this process, without what the rest of the command line needs.

What this module does not do: anything else; `engine.commands` has the other commands.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.daemon import ServeOptions, serve


def main(arguments: Sequence[str]) -> int:
    """Run the command; the exit code. argparse ends the process with 2 where it does not understand `arguments`."""
    parser = argparse.ArgumentParser(prog="python -m engine")
    command = parser.add_subparsers(required=True, metavar="serve").add_parser("serve", help="serve a model file over HTTP")
    command.add_argument("--model", type=Path, required=True, metavar="FILE", help="a GGUF model file")
    place = command.add_mutually_exclusive_group(required=True)
    place.add_argument("--socket", type=Path, metavar="PATH", help="listen on this Unix socket")
    place.add_argument("--port", type=_port, metavar="N", help="listen on this port of 127.0.0.1; 0 takes a free one")
    command.add_argument("--idle-timeout", type=_positive_float, metavar="S", help="end after S seconds without a request")
    command.add_argument("--context", type=_positive, metavar="N", help="tokens of context; default: the model's own, up to 131072")
    command.add_argument("--threads", type=_positive, metavar="N", help="threads to compute with; default: all CPUs, one for a small model")
    given = parser.parse_args(arguments)
    return serve(ServeOptions(given.model, given.socket, given.port, given.idle_timeout, given.context, given.threads))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _positive_float(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number < 1 << 16:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
