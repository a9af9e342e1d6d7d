"""Engine processes from start to end, with a real tiny model: what they listen on, how they end, what a bad file does."""

import json
import os
import signal
import stat
from pathlib import Path

import httpx
import pytest

from tests.engine.process import DEADLINE, client, engine, is_up, wait_for
from tests.engine.tinygguf import vocabulary, write

CHAT = "/v1/chat/completions"
USER = {"role": "user", "content": "hello, what is 1 + 1?"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Control tokens are pushed down, so that an answer is text and goes on until it is stopped.
    control = {name: -3.0 for name, kind in zip(*vocabulary(), strict=True) if kind == 3}
    return write(tmp_path_factory.mktemp("daemon") / "tiny.gguf", bias=control, context=100_000)


def test_an_engine_answers_over_a_private_socket_and_ends_on_sigterm(tiny: Path, tmp_path: Path) -> None:
    socket = tmp_path / "run" / "e.sock"
    with engine(tiny, "--socket", str(socket), "--context", "1024") as process:
        wait_for(lambda: is_up(socket))
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert socket.with_suffix(".pid").read_text() == f"{process.pid}\n{tiny}\n"
        with client(socket) as asking:
            body = {"messages": [USER], "max_tokens": 12, "temperature": 0, "chat_template_kwargs": {"thinking": False}}
            cold = asking.post(CHAT, json=body).json()
            warm = asking.post(CHAT, json=body).json()
            assert cold["choices"] == warm["choices"]
            assert cold["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
            assert warm["usage"]["prompt_tokens_details"]["cached_tokens"] == warm["usage"]["prompt_tokens"] - 1
            assert cold["usage"]["completion_tokens"] == 12
            long = asking.post(CHAT, json={"messages": [{"role": "user", "content": "a" * 2000}]})
            assert (long.status_code, "context length is 1024" in long.json()["error"]["message"]) == (400, True)
        process.terminate()
        assert process.wait(DEADLINE) == 0
        assert process.communicate() == ("", "")
        assert list(socket.parent.iterdir()) == []


def test_a_long_prompt_is_told_batch_by_batch(tiny: Path, tmp_path: Path) -> None:
    socket = tmp_path / "e.sock"
    body = {"messages": [{"role": "user", "content": "a long story " * 300}], "stream": True, "max_tokens": 1, "return_progress": True}
    with engine(tiny, "--socket", str(socket), "--context", "8192"):
        wait_for(lambda: is_up(socket))
        with client(socket) as asking:
            events = [line.removeprefix("data: ") for line in asking.post(CHAT, json=body).text.split("\n") if line.startswith("data: {")]
    told = [chunk["prompt_progress"] for chunk in map(json.loads, events) if "prompt_progress" in chunk]
    processed = [each["processed"] for each in told]
    assert len(processed) > 2
    assert processed == sorted(processed)
    assert processed[-1] == told[-1]["total"] > 3000


def test_sigterm_ends_a_running_stream(tiny: Path, tmp_path: Path) -> None:
    socket = tmp_path / "e.sock"
    with engine(tiny, "--socket", str(socket), "--context", "100000") as process:
        wait_for(lambda: is_up(socket))
        with client(socket) as asking, asking.stream("POST", CHAT, json={"messages": [USER], "stream": True}) as answer:
            lines = answer.iter_lines()
            assert json.loads(next(lines).removeprefix("data: "))["choices"][0]["delta"]["role"] == "assistant"
            process.send_signal(signal.SIGINT)
            with pytest.raises(httpx.RemoteProtocolError):
                list(lines)
        assert process.wait(DEADLINE) == 0


def test_a_client_that_hangs_up_stops_the_model(tiny: Path, tmp_path: Path) -> None:
    socket = tmp_path / "e.sock"
    with engine(tiny, "--socket", str(socket), "--context", "100000"):
        wait_for(lambda: is_up(socket))
        with client(socket) as asking:
            with asking.stream("POST", CHAT, json={"messages": [USER], "stream": True}) as answer:
                lines = answer.iter_lines()
                next(lines)
                with client(socket) as other:
                    wait_for(lambda: other.get("/health").json()["tokens"] > 5)
            wait_for(lambda: asking.get("/health").json()["running"] == 0)
            stopped = asking.get("/health").json()
            assert stopped["cancelled"] == 1
            asking.post(CHAT, json={"messages": [USER], "max_tokens": 1})
            assert asking.get("/health").json()["tokens"] == stopped["tokens"] + 1


def test_a_killed_engine_s_socket_is_replaced(tiny: Path, tmp_path: Path) -> None:
    socket = tmp_path / "e.sock"
    with engine(tiny, "--socket", str(socket)) as process:
        wait_for(lambda: is_up(socket))
        process.kill()
        process.wait(DEADLINE)
    assert socket.exists()
    with engine(tiny, "--socket", str(socket)):
        wait_for(lambda: is_up(socket))


def test_a_second_engine_does_not_take_the_socket(tiny: Path, tmp_path: Path) -> None:
    socket = tmp_path / "e.sock"
    with engine(tiny, "--socket", str(socket)) as first:
        wait_for(lambda: is_up(socket))
        with engine(tiny, "--socket", str(socket)) as second:
            assert second.wait(DEADLINE) == 75
            assert f"process {first.pid}" in second.communicate()[1]
        assert is_up(socket)


def test_an_idle_engine_ends(tiny: Path, tmp_path: Path) -> None:
    socket = tmp_path / "e.sock"
    with engine(tiny, "--socket", str(socket), "--idle-timeout", "0.2") as process:
        assert process.wait(DEADLINE) == 0
    assert not socket.exists()


def test_a_port_of_the_system_s_choice_is_printed_and_wants_the_token(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIMICODE_ENGINE_TOKEN", "let me in")
    with engine(tiny, "--port", "0") as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with httpx.Client(timeout=DEADLINE, trust_env=False) as asking:
            wait_for(lambda: asking.get(f"{url}/models", headers={"Authorization": "Bearer let me in"}).status_code == 200)
            for headers in ({}, {"Authorization": "Bearer let me in please"}, {"Authorization": "let me in"}):
                refused = asking.get(f"{url}/models", headers=headers)
                assert (refused.status_code, refused.json()["error"]["type"]) == (401, "invalid_authentication_error")


def test_a_port_without_a_token_makes_one_and_shows_it(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIMICODE_ENGINE_TOKEN", raising=False)
    with engine(tiny, "--port", "0") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        token = process.stderr.readline().split(" token ")[1].split()[0]
        url = process.stdout.readline().strip()
        with httpx.Client(timeout=DEADLINE, trust_env=False, headers={"Authorization": f"Bearer {token}"}) as asking:
            wait_for(lambda: asking.get(f"{url}/models").status_code == 200)


def _bad_files(tiny: Path, folder: Path) -> dict[str, Path]:
    whole = tiny.read_bytes()
    contents = {"text": b"hello\n", "noise": b"GGUF" + bytes(range(256)), "header": whole[:3000], "data": whole[:-1000]}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    missing = {"thinking": folder / "llama", "absent": folder / "absent", "folder": folder}
    write(folder / "llama", architecture="llama")
    return {name: folder / name for name in contents} | missing


def test_a_bad_model_file_is_one_line_and_exit_2(tiny: Path, tmp_path: Path) -> None:
    for path in _bad_files(tiny, tmp_path).values():
        with engine(path, "--socket", str(tmp_path / "e.sock")) as process:
            assert process.wait(DEADLINE) == 2
            out, complaint = process.communicate()
        assert out == ""
        assert complaint.startswith(f"{path}: ")
        assert complaint.count("\n") == 1
    assert not (tmp_path / "e.sock").exists()


def test_a_file_that_only_llama_cpp_can_refuse_is_one_line_and_exit_2_too(tmp_path: Path) -> None:
    # Its header is whole, but one tensor that llama.cpp needs has another name.
    path = write(tmp_path / "odd.gguf")
    path.write_bytes(path.read_bytes().replace(b"output_norm.weight", b"output_nork.weight"))
    with engine(path, "--socket", str(tmp_path / "e.sock")) as process:
        assert process.wait(DEADLINE) == 2
        assert "tensor 'output_norm.weight' not found" in process.communicate()[1]


def test_a_socket_path_in_use_or_too_long_is_refused(tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "precious.sock"
    file.write_text("not a socket")
    long = tmp_path / ("x" * 120) / "e.sock"
    for path, problem in ((file, "is not a socket"), (long, "too long")):
        with engine(tiny, "--socket", str(path)) as process:
            assert process.wait(DEADLINE) == 69
            assert problem in process.communicate()[1]
    assert file.read_text() == "not a socket"


def test_a_folder_without_the_copy_it_is_named_for_is_one_line_and_exit_2(tiny: Path, tmp_path: Path) -> None:
    with engine(tiny, "--socket", str(tmp_path / "e.sock"), "--experts", "store", "--experts-also", str(tmp_path)) as process:
        assert process.wait(DEADLINE) == 2
        (line,) = process.communicate()[1].splitlines()
        assert line.startswith(f"{tmp_path}/{tiny.name}: No such file or directory; copy {tiny.name} there")


def test_a_damaged_command_line_is_exit_2(tiny: Path) -> None:
    for options in ((), ("--port", "70000"), ("--socket", "x", "--port", "1"), ("--socket", "x", "--idle-timeout", "nan")):
        with engine(tiny, *options) as process:
            assert process.wait(DEADLINE) == 2
            assert "usage:" in process.communicate()[1]
    assert not os.path.exists("x")


def test_an_engine_whose_cache_folder_can_t_be_made_works_without_it(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KIMICODE_HOME", str(tmp_path / "file"))
    socket = tmp_path / "e.sock"
    with engine(tiny, "--socket", str(socket), "--disk-cache", "1") as process:
        wait_for(lambda: is_up(socket))
        assert process.stderr is not None
        assert "nothing is saved on disk" in process.stderr.readline()
