"""Models: the client protocol, endpoints as data, the OpenAI-compatible client, the embedded engine's client, public fakes.

target = resolve("openrouter", "kimi-k2.6", os.environ)      # which model, where, reached how
client = make_client(target, os.environ)                     # a ModelClient; connects at its first request
async for delta in client.stream(ModelRequest(repair(messages), tools)): ...

ModelClient ── DeferredClient ─┬─ OpenAIClient     any OpenAI-compatible endpoint; faults, retries, idle watchdog
                               └─ EmbeddedClient   the same on the engine's socket, with a daemon kept up
            ├─ ScriptedClient                      answers from a list
            └─ RecordingClient, ReplayClient       answers to and from a file

Beside it: `keys` of endpoints, `pictures` for a model, `probe` that tries a target in words, `engine_state` that asks how the engine is.
"""

from kimicode.model.client import (
    Delta,
    Finished,
    ModelClient,
    ModelInfo,
    ModelRequest,
    Reasoning,
    Restarted,
    Text,
    Thinking,
)
from kimicode.model.factory import make_client
from kimicode.model.faults import ContentFilterError, ContextOverflowError
from kimicode.model.patience import Patience
from kimicode.model.repair import MISSING_RESULT, repair
from kimicode.model.replay import RecordingClient, ReplayClient
from kimicode.model.scripted import Pause, ScriptedClient
from kimicode.model.target import Target, boxed_model, resolve

__all__ = [
    "MISSING_RESULT",
    "ContentFilterError",
    "ContextOverflowError",
    "Delta",
    "Finished",
    "ModelClient",
    "ModelInfo",
    "ModelRequest",
    "Patience",
    "Pause",
    "Reasoning",
    "RecordingClient",
    "ReplayClient",
    "Restarted",
    "ScriptedClient",
    "Target",
    "Text",
    "Thinking",
    "boxed_model",
    "make_client",
    "repair",
    "resolve",
]
