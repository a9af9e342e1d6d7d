"""`python -m engine serve`: run one engine in this process, without what the rest of the command line needs.

What this module does not do: anything else; `engine.commands` has the other commands.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.daemon import DEFAULT_DISK_GB, DEFAULT_PARALLEL, MAX_PARALLEL, ServeOptions, access_token, disk_folder, expert_bytes, serve
from engine.layout import Experts, ExpertWish
from engine.llama import KvType
from engine.native.plugin import AUTO, Attention, wish


def main(arguments: Sequence[str]) -> int:
    """Run the command; the exit code. argparse ends the process with 2 where it does not understand `arguments`."""
    parser = argparse.ArgumentParser(prog="python -m engine")
    command = parser.add_subparsers(required=True, metavar="serve").add_parser("serve", help="serve a model file over HTTP")
    command.add_argument("--model", type=Path, required=True, metavar="FILE", help="a GGUF model file")
    place = command.add_mutually_exclusive_group(required=True)
    place.add_argument("--socket", type=Path, metavar="PATH", help="listen on this Unix socket")
    place.add_argument("--port", type=_port, metavar="N", help="listen on this port; 0 takes a free one")
    command.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="the port's address")
    command.add_argument("--idle-timeout", type=_positive_float, metavar="S", help="end after S seconds without a request")
    command.add_argument("--context", type=_positive, metavar="N", help="most tokens of a conversation; default: the model's, up to 131072")
    command.add_argument(
        "--cells", type=_positive, metavar="N", help="tokens of all conversations in memory; default: 8 contexts, up to 131072"
    )
    command.add_argument("--kv-type", choices=[kind.name.lower() for kind in KvType], help="how a cell is stored; default: as planned")
    names = [AUTO, *(kind.value for kind in Attention)]
    command.add_argument("--attention", choices=names, default=AUTO, help="who computes attention; stock: llama.cpp itself")
    keepers = [kind.value for kind in Experts]
    command.add_argument("--experts", choices=keepers, default=Experts.AUTO.value, help="who keeps routed experts; mapped: llama.cpp")
    command.add_argument("--expert-memory", type=_positive_float, metavar="GIB", help="most memory for experts; default: as planned")
    command.add_argument(
        "--experts-also",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a folder with copies of the model's files, to read from",
    )
    command.add_argument("--parallel", type=_parallel, default=DEFAULT_PARALLEL, metavar="N", help="answers written at a time")
    command.add_argument("--disk-cache", type=float, default=DEFAULT_DISK_GB, metavar="GB", help="saved cells on disk; 0: none")
    command.add_argument("--threads", type=_positive, metavar="N", help="threads to compute with; default: all CPUs, one for a small model")
    command.add_argument("--vendor-strict", action="store_true", help="take only what the vendor's API takes")
    given = parser.parse_args(arguments)
    options = ServeOptions(
        model=given.model,
        socket=given.socket,
        port=given.port,
        host=given.host,
        token=access_token(os.environ) if given.socket is None else None,
        idle_timeout=given.idle_timeout,
        context=given.context,
        cells=given.cells,
        parallel=given.parallel,
        kv_type=KvType[given.kv_type.upper()] if given.kv_type else None,
        attention=wish(given.attention),
        experts=ExpertWish(Experts(given.experts), expert_bytes(given.expert_memory)),
        experts_also=tuple(given.experts_also),
        threads=given.threads,
        disk=disk_folder(os.environ, given.disk_cache),
        disk_gb=given.disk_cache,
        strict=given.vendor_strict,
    )
    return serve(options)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _parallel(text: str) -> int:
    number = _positive(text)
    if number > MAX_PARALLEL:
        raise argparse.ArgumentTypeError(f"must be at most {MAX_PARALLEL}")
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
