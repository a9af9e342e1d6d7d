"""The catalogue, and how a target is chosen from it."""

import re
import struct
from pathlib import Path

import pytest

from kimicode.errors import KimicodeError, UnavailableError, UsageError
from kimicode.messages import Usage
from kimicode.model import boxed_model, resolve
from kimicode.model.catalogue import SamplingByMode, load_catalogue
from kimicode.model.gguf_header import ModelHead, read_head

ROOT = Path(__file__).parents[2]


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def model_file(path: Path, facts: dict[str, str | int | list[str]]) -> Path:
    """A GGUF file that is all head."""
    data = b"GGUF" + struct.pack("<IQQ", 3, 0, len(facts))
    for key, value in facts.items():
        data += text(key)
        match value:
            case str():
                data += struct.pack("<I", 8) + text(value)
            case int():
                data += struct.pack("<II", 4, value)
            case list():
                data += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    path.write_bytes(data)
    return path


FACTS: dict[str, str | int | list[str]] = {
    "general.architecture": "deepseek2",
    "general.name": "tiny",
    "tokenizer.ggml.tokens": ["a", "b"],
    "deepseek2.context_length": 2048,
    "kimicode.profile": "lean",
}


def test_every_endpoint_of_the_house_is_there() -> None:
    catalogue = load_catalogue()
    assert {"moonshot", "moonshot-cn", "openrouter", "cloudflare", "deepinfra", "nvidia", "cerebras"} <= catalogue.endpoints.keys()
    assert {"ollama", "vllm", "sglang", "ktransformers", "llama-server", "embedded", "url"} <= catalogue.endpoints.keys()
    assert catalogue.default_model in catalogue.models


def test_rows_are_consistent() -> None:
    catalogue = load_catalogue()
    for name, row in catalogue.endpoints.items():
        assert row.key_env or row.key_optional or row.any_model or name == "embedded"
        assert set(row.models) <= catalogue.models.keys()
        for serving in row.models.values():
            assert (serving.price is None) == (serving.priced == ""), f"{name}: a price has a date and a source"


def test_no_models_name_is_in_the_code() -> None:
    names = re.compile("|".join(re.escape(name) for name in load_catalogue().models))
    found = [
        path.name
        for folder in ("agent", "model", "session", "tools", "headless")
        for path in (ROOT / "kimicode" / folder).rglob("*.py")
        if names.search(re.sub(r'"""[\s\S]*?"""', "", path.read_text("utf-8")))
    ]
    assert found == []


def test_the_model_in_the_box_has_a_name_and_a_profile() -> None:
    row = load_catalogue().models[boxed_model()]
    assert row.file.endswith(".gguf")
    assert row.profile != "default"


def test_the_default_is_the_first_endpoint_with_a_key() -> None:
    assert resolve(None, None, {"MOONSHOT_API_KEY": "k"}).endpoint == "moonshot"
    assert resolve(None, None, {"OPENROUTER_API_KEY": "k", "NVIDIA_API_KEY": "k"}).endpoint == "openrouter"
    assert resolve(None, None, {"MOONSHOT_API_KEY": " ", "NVIDIA_API_KEY": "k"}).endpoint == "nvidia"
    assert resolve(None, None, {"MOONSHOT_CN_API_KEY": "k"}).endpoint == "moonshot-cn"
    assert resolve(None, "kimi-k2.5", {"NVIDIA_API_KEY": "k", "DEEPINFRA_API_KEY": "k"}).endpoint == "deepinfra"


def test_prices_and_limits_reach_the_agent() -> None:
    info = resolve("moonshot", None, {"MOONSHOT_API_KEY": "k"}).info
    assert (info.model, info.context) == ("kimi-k2.6", 262_144)
    assert info.cost(Usage(prompt=1_000_000, completion=1_000_000, cached=500_000)) == pytest.approx(0.475 + 0.08 + 4.0)
    assert resolve("vllm", None, {}).info.cost(Usage(1, 1)) is None


def test_an_id_of_the_endpoint_is_understood() -> None:
    target = resolve("openrouter", "moonshotai/kimi-k2.6", {"OPENROUTER_API_KEY": "k"})
    assert (target.model, target.model_id) == ("kimi-k2.6", "moonshotai/kimi-k2.6")
    assert resolve(None, "@cf/moonshotai/kimi-k2.6", {"CLOUDFLARE_API_KEY": "k", "CLOUDFLARE_ACCOUNT_ID": "me"}).endpoint == "cloudflare"


def test_placeholders_are_filled() -> None:
    target = resolve("cloudflare", None, {"CLOUDFLARE_API_TOKEN": "k", "CLOUDFLARE_ACCOUNT_ID": "me"})
    assert target.base_url == "https://api.cloudflare.com/client/v4/accounts/me/ai/v1"
    assert target.key_env == "CLOUDFLARE_API_TOKEN"


@pytest.mark.parametrize(
    ("url", "base", "form"),
    [
        ("http://localhost:9/v1", "http://localhost:9/v1", "template"),
        ("http://localhost:9/v1/", "http://localhost:9/v1", "template"),
        ("http://localhost:9/v1/chat/completions", "http://localhost:9/v1", "template"),
        ("https://api.moonshot.ai/v1", "https://api.moonshot.ai/v1", "object"),
    ],
)
def test_urls(url: str, base: str, form: str) -> None:
    target = resolve(url, None, {"MOONSHOT_API_KEY": "k"})
    assert (target.base_url, target.accepts.thinking_form) == (base, form)


def test_a_key_goes_to_no_url_by_accident() -> None:
    assert resolve("http://localhost:9/v1", None, {"MOONSHOT_API_KEY": "k", "OPENROUTER_API_KEY": "k"}).key_env == ""


def test_a_target_holds_no_key() -> None:
    assert "sk-secret" not in repr(resolve("moonshot", None, {"MOONSHOT_API_KEY": "sk-secret"}))


def test_a_model_file(tmp_path: Path) -> None:
    path = model_file(tmp_path / "m.gguf", FACTS)
    target = resolve(None, str(path), {})
    assert (target.endpoint, target.model_file, target.context, target.info.profile) == ("embedded", str(path), 2048, "lean")
    plain = model_file(tmp_path / "n.gguf", {"general.architecture": "deepseek2", "deepseek2.context_length": 512})
    assert resolve("embedded", str(plain), {}).info.profile == "default"


def test_a_file_that_sets_its_own_temperature_is_sent_none(tmp_path: Path) -> None:
    assert resolve(None, str(model_file(tmp_path / "m.gguf", FACTS)), {}).traits.sampling.thinking.temperature == 0.0
    own = model_file(tmp_path / "n.gguf", FACTS | {"kimicode.temperature": 1})
    assert resolve(None, str(own), {}).traits.sampling == SamplingByMode()


def test_a_relative_model_file_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model_file(tmp_path / "m.gguf", FACTS)
    monkeypatch.chdir(tmp_path)
    assert resolve(None, "m.gguf", {}).model_file == str(tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("endpoint", "model", "kind", "words"),
    [
        (None, None, UnavailableError, ["MOONSHOT_API_KEY", "OPENROUTER_API_KEY", "--endpoint", "--model kimi-nano"]),
        (None, "kimi-k9", UsageError, ["kimi-k9", "kimi-k2.6", ".gguf"]),
        ("nowhere", None, UsageError, ["nowhere", "moonshot", "http://"]),
        ("url", None, UsageError, ["url"]),
        ("moonshot", None, UnavailableError, ["MOONSHOT_API_KEY"]),
        ("moonshot-cn", None, UnavailableError, ["MOONSHOT_CN_API_KEY or MOONSHOT_API_KEY"]),
        ("nvidia", "kimi-k3", UsageError, ["nvidia does not serve kimi-k3"]),
        ("embedded", "kimi-k2.6", UsageError, [".gguf"]),
        ("unix:relative.sock", None, UsageError, ["absolute"]),
        ("http://", None, UsageError, ["no usable address"]),
        ("https://host:0x/v1", None, UsageError, ["no usable address"]),
        (None, "/nowhere/m.gguf", UsageError, ["no such model file", "/nowhere/m.gguf"]),
        (None, "/", UsageError, ["unknown model"]),
    ],
)
def test_what_cannot_be_right(endpoint: str | None, model: str | None, kind: type[KimicodeError], words: list[str]) -> None:
    with pytest.raises(kind) as caught:
        resolve(endpoint, model, {"NVIDIA_API_KEY": "k"} if endpoint == "nvidia" else {})
    assert [word for word in words if word not in str(caught.value)] == []
    assert caught.value.hint


def test_a_missing_account_is_named() -> None:
    with pytest.raises(UnavailableError, match="CLOUDFLARE_ACCOUNT_ID"):
        resolve("cloudflare", None, {"CLOUDFLARE_API_KEY": "k"})


def test_the_head_of_a_file(tmp_path: Path) -> None:
    assert read_head(model_file(tmp_path / "m", FACTS)) == ModelHead("tiny", "deepseek2", 2048, "lean")


def test_a_large_vocabulary_is_not_walked(tmp_path: Path) -> None:
    head: dict[str, str | int | list[str]] = {
        "general.architecture": "a",
        "a.context_length": 7,
        "tokens": ["x"] * 20_001,
        "kimicode.profile": "lean",
    }
    assert read_head(model_file(tmp_path / "m", head)).profile == "default"


def test_a_file_cut_anywhere_in_its_head_is_refused(tmp_path: Path) -> None:
    data = model_file(tmp_path / "whole", FACTS).read_bytes()
    path = tmp_path / "cut.gguf"
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(UsageError, match=r"cut off|not a GGUF"):
            read_head(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a GGUF"),
        (b"PK\x03\x04 a zip file", "not a GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "version 9"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "no language model"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 60), "cut off"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 77), "cut off"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "cut off"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=words):
        read_head(path)


def test_a_projector_is_no_language_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no language model \(architecture: clip\)"):
        read_head(model_file(tmp_path / "m", {"general.architecture": "clip"}))


def test_a_folder_is_no_model_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't read"):
        read_head(tmp_path)
