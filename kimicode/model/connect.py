"""The real clients behind `factory`: this module loads httpx, which costs a tenth of a second.

What this module does not do: open a connection; a client does that at its first request.
"""

from collections.abc import Callable, Mapping

import httpx

from kimicode.model.client import ModelClient
from kimicode.model.daemon import EngineDaemon
from kimicode.model.embedded import EmbeddedClient
from kimicode.model.keys import Key, key_for
from kimicode.model.openai import OpenAIClient
from kimicode.model.patience import Patience
from kimicode.model.progress import OnProgress, nobody
from kimicode.model.target import Target


def connect(
    target: Target,
    environ: Mapping[str, str],
    on_notice: Callable[[str], None],
    patience: Patience | None,
    on_progress: OnProgress = nobody,
) -> ModelClient:
    """The client for `target`; its key is taken here and nowhere else, which may block while a keyring is asked."""
    if target.model_file:
        daemon = EngineDaemon(target.model_file, environ, on_status=on_notice, on_progress=on_progress)
        return EmbeddedClient(target, daemon, patience=patience, on_notice=on_notice, on_progress=on_progress)
    transport = transport_of(target)
    key = key_for(target.endpoint, target.accepts, environ) if target.key_from else Key()
    return OpenAIClient(target, key=key.value, transport=transport, patience=patience, on_notice=on_notice, on_progress=on_progress)


def transport_of(target: Target) -> httpx.AsyncHTTPTransport | None:
    """How to reach it where that is not plain TCP."""
    return httpx.AsyncHTTPTransport(uds=target.socket, verify=False) if target.socket else None
