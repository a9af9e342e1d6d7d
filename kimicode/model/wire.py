"""A `ModelRequest` as the JSON body of a chat completion request. Pure, but that pictures are read from their files.

Each message is rendered from itself alone, never from its place, and `messages` stands last: the body of request N is a byte
prefix of the body of request N+1, up to the closing brackets, as long as tools and settings stay the same.
Rules of Kimi's API that hold here: with thinking on, an assistant message with tool calls always carries its reasoning, "" if
there was none; blank content beside tool calls is left out; a tool result is never blank; ids are `functions.name:index`, counted
over the whole conversation. No `name` is sent with a tool result: the prompt template would put it in place of the role.
A picture that the model can't see, or whose copy is gone, is a line of text instead: the conversation goes on without it.
What this module does not do: send anything, or repair a broken history (`repair`).
"""

from collections.abc import Iterator
from typing import NamedTuple, assert_never

import msgspec

from kimicode.messages import Assistant, Conversation, JsonObject, JsonValue, System, ToolCall, ToolResult, User
from kimicode.model.catalogue import ModelRow
from kimicode.model.client import ModelRequest, Thinking
from kimicode.model.pictures import data_url, unseen
from kimicode.model.target import Target
from kimicode.model.toolschema import SchemaError, mfjs_parameters

BLANK_RESULT = "(no output)"
_GONE = "its file is gone"
_BLIND = "this model can't see it"


class Body(NamedTuple):
    """What to send, and what a person should know about it (a tool that had to be left out)."""

    content: bytes
    notices: tuple[str, ...] = ()


def effective_thinking(wanted: Thinking, traits: ModelRow) -> Thinking:
    """What the model can do of what was asked for: some always think, some can't keep thoughts."""
    if traits.thinking == "never":
        return Thinking.OFF
    if traits.thinking == "always" and traits.keep == "always":
        return Thinking.KEEP
    if traits.thinking == "always" and wanted is Thinking.OFF:
        return Thinking.ON
    if wanted is Thinking.KEEP and traits.keep == "no":
        return Thinking.ON
    return wanted


def request_body(request: ModelRequest, target: Target, *, reasoning_field: str | None = None) -> Body:
    """The body of `request`. `reasoning_field` is the name this server was seen to use, if it differs from the catalogue's."""
    thinking = effective_thinking(request.thinking, target.traits)
    tools, notices = _tools(request, target)
    notices += _unseen_notices(request.messages, target)
    body: JsonObject = {"model": target.model_id, "stream": True}
    if target.accepts.stream_options:
        body["stream_options"] = {"include_usage": True}
    if target.accepts.prompt_progress:
        body["return_progress"] = True
    body |= _limits(request, target) | _thinking(thinking, target) | _sampling(thinking, target) | _schema(request, target)
    if target.accepts.prompt_cache_key and request.session_id:
        body["prompt_cache_key"] = request.session_id
    if tools:
        body["tools"] = tools
    body["messages"] = [*_messages(request.messages, thinking, target, reasoning_field or target.accepts.reasoning_field)]
    return Body(_encode(body), notices)


def call_count(messages: Conversation) -> int:
    """How many tool calls a conversation holds: the index of the next one."""
    return sum(len(message.tool_calls) for message in messages if isinstance(message, Assistant))


def _messages(messages: Conversation, thinking: Thinking, target: Target, field: str) -> Iterator[JsonValue]:
    outbound: dict[str, str] = {}
    index = 0
    for message in messages:
        match message:
            case System():
                yield {"role": "system", "content": message.content}
            case User():
                yield {"role": "user", "content": _shown(message, target)}
            case ToolResult():
                content = message.content if message.content.strip() else BLANK_RESULT
                yield {"role": "tool", "tool_call_id": outbound.get(message.call_id, message.call_id), "content": content}
            case Assistant():
                for call in message.tool_calls:
                    outbound[call.id] = f"functions.{call.name}:{index}" if target.traits.tool_ids == "kimi" else call.id
                    index += 1
                yield _assistant(message, thinking, field, outbound)
            case _:
                assert_never(message)


def _shown(message: User, target: Target) -> JsonValue:
    """What the user said, and after it the pictures."""
    if not message.images:
        return message.content
    said = [message.content] if message.content.strip() else []
    urls = [data_url(image) if target.images else None for image in message.images]
    why = _GONE if target.images else _BLIND
    pictures = list(zip(message.images, urls, strict=True))
    if not any(urls):
        return "\n\n".join([*said, *(unseen(image, why) for image in message.images)])
    return [*map(_text, said), *(_text(unseen(image, why)) if url is None else _picture(url) for image, url in pictures)]


def _text(text: str) -> JsonValue:
    return {"type": "text", "text": text}


def _picture(url: str) -> JsonValue:
    return {"type": "image_url", "image_url": {"url": url}}


def _unseen_notices(messages: Conversation, target: Target) -> tuple[str, ...]:
    if target.images or not any(isinstance(message, User) and message.images for message in messages):
        return ()
    return (f"{target.model} at {target.endpoint} can't see pictures: they are left out of what is sent.",)


def _assistant(message: Assistant, thinking: Thinking, field: str, outbound: dict[str, str]) -> JsonObject:
    out: JsonObject = {"role": "assistant"}
    if message.content.strip() or not message.tool_calls:
        out["content"] = message.content
    if thinking is Thinking.KEEP or (thinking is Thinking.ON and message.tool_calls):
        out[field] = message.reasoning or ""
    if message.tool_calls:
        out["tool_calls"] = [_call(call, outbound[call.id]) for call in message.tool_calls]
    return out


def _call(call: ToolCall, call_id: str) -> JsonObject:
    return {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _tools(request: ModelRequest, target: Target) -> tuple[list[JsonValue], tuple[str, ...]]:
    tools: list[JsonValue] = []
    notices: list[str] = []
    for tool in request.tools:
        try:
            parameters = mfjs_parameters(tool) if target.accepts.schema_flavour == "mfjs" else dict(tool.parameters)
        except SchemaError as error:
            notices.append(f"The tool {tool.name} is left out: {target.endpoint} would refuse its schema ({error}).")
            continue
        tools.append({"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": parameters}})
    return tools, tuple(notices)


def _limits(request: ModelRequest, target: Target) -> JsonObject:
    wanted = request.max_tokens or target.accepts.default_max_tokens
    if wanted is None:
        return {}
    return {target.accepts.max_tokens_field: min(wanted, target.max_output or wanted)}


def _thinking(thinking: Thinking, target: Target) -> JsonObject:
    traits, on = target.traits, thinking is not Thinking.OFF
    if traits.thinking != "toggle":
        return {}
    keep = thinking is Thinking.KEEP
    match target.accepts.thinking_form:
        case "object":
            kept: JsonObject = {"keep": "all"} if keep else {}
            return {"thinking": {"type": "enabled" if on else "disabled", **kept}}
        case "template":
            kept = {} if traits.keep == "no" else {"preserve_thinking": keep}
            return {"chat_template_kwargs": {"thinking": on, **kept}}
        case "reasoning":
            return {"reasoning": {"enabled": on}}
        case "effort":
            return {} if on else {"reasoning_effort": "none"}
        case "none":
            return {}
        case form:
            assert_never(form)


def _sampling(thinking: Thinking, target: Target) -> JsonObject:
    if not target.accepts.send_sampling:
        return {}
    modes = target.traits.sampling
    sampling = modes.instant if thinking is Thinking.OFF else modes.thinking
    values = {"temperature": sampling.temperature, "top_p": sampling.top_p}
    return {name: value for name, value in values.items() if value is not None}


def _schema(request: ModelRequest, target: Target) -> JsonObject:
    if request.schema is None:
        return {}
    match target.accepts.response_format:
        case "json_schema":
            return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": request.schema}}}
        case "json_object":
            return {"response_format": {"type": "json_object"}}
        case "none":
            return {}
        case form:
            assert_never(form)


def _encode(body: JsonObject) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        # A tool read bytes that are no text; half a surrogate pair has no UTF-8 form and becomes a question mark.
        return msgspec.json.encode(_scrubbed(body))


def _scrubbed(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case list():
            return [_scrubbed(item) for item in value]
        case dict():
            return {str(_scrubbed(key)): _scrubbed(item) for key, item in value.items()}
        case _:
            return value
