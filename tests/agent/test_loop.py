import asyncio
import gc
import itertools

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimicode.agent.budget import Limits
from kimicode.agent.context import is_prefix, rendered, unanswered
from kimicode.errors import ContractError, KimicodeError, RefusedError, SessionError, TemporaryError, UnavailableError
from kimicode.events import (
    AnswerReset,
    MessageAdded,
    Notice,
    RunFinished,
    StepFinished,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallReady,
    ToolFinished,
    decode_event,
    encode_event,
)
from kimicode.messages import Assistant, System, ToolResult, Usage, User
from kimicode.model import Finished, ModelInfo, Pause, Reasoning, Restarted, ScriptedClient, Text, repair
from kimicode.session.replay import replay

INTERRUPTED = "Interrupted by the user before it finished."


def well_formed(messages):
    return repair(messages) == messages and not unanswered(messages)


def types(events):
    return [type(event) for event in events]


def test_a_plain_answer(rig):
    made = rig(["Hello."])
    finished = made.run("hi")
    assert (finished.status, finished.exit_code, finished.text, finished.steps) == ("done", 0, "Hello.", 1)
    assert types(made.events) == [MessageAdded, MessageAdded, StepStarted, TextDelta, StepFinished, RunFinished]
    assert made.messages == (System("be good"), User("hi"), Assistant("Hello."))


def test_tools_run_and_their_results_go_back(rig, make_call, make_calls):
    read = make_call("read", path="a.py")
    made = rig([make_calls(read), "It is 1."])
    finished = made.run()
    assert finished.text == "It is 1."
    assert made.messages[3] == ToolResult(read.id, "read", "x = 1\n")
    assert types(made.events)[2:] == [
        StepStarted,
        ThinkingDelta,
        StepFinished,
        ToolCallReady,
        ToolFinished,
        StepStarted,
        TextDelta,
        StepFinished,
        RunFinished,
    ]
    assert finished.usage == Usage(200, 20)


def test_the_log_rebuilds_the_context(rig, make_call, make_calls):
    made = rig([make_calls(make_call("read", path="a.py"), make_call("write", path="b.py", content="\u2028")), "Done."])
    made.run()
    again = replay(decode_event(encode_event(event)) for event in made.events)
    assert again.conversation == made.messages
    assert (again.steps, again.usage, again.status) == (2, Usage(200, 20), "done")


def test_results_stand_in_call_order_whatever_finishes_first(rig, make_call, make_calls):
    slow, fast = make_call("wait"), make_call("read", path="a.py")

    async def scenario():
        made = rig([make_calls(slow, fast), "ok"])
        run = asyncio.create_task(made.agent.submit("go"))
        await made.tools.waiting.wait()
        await made.tools.until(running=1)
        assert ToolFinished not in types(made.events)
        made.tools.release.set()
        await run
        return made

    made = asyncio.run(scenario())
    assert [message.call_id for message in made.messages if isinstance(message, ToolResult)] == [slow.id, fast.id]


def test_events_of_a_restarted_stream(rig):
    made = rig([[Reasoning("a"), Text("Do"), Restarted("cut"), Text("Done."), Finished(Assistant("Done."), Usage(1, 1), "stop")]])
    assert made.run().text == "Done."
    assert types(made.events)[3:8] == [ThinkingDelta, TextDelta, AnswerReset, TextDelta, StepFinished]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnavailableError("no key"), "unavailable", 69),
        (TemporaryError("busy"), "temporary", 75),
        (ContractError("bad"), "contract", 4),
        (RefusedError("no"), "refused", 77),
        (KimicodeError("hm"), "failed", 1),
    ],
)
def test_errors_of_the_model_end_the_run_with_their_code(rig, error, status, code):
    made = rig([error, "later"])
    finished = made.run()
    assert (finished.status, finished.exit_code) == (status, code)
    assert error.message in finished.error
    assert made.run("again").status == "done"
    assert well_formed(made.messages)


def test_a_failed_run_does_not_show_the_answer_of_the_run_before(rig):
    made = rig(["First.", TemporaryError("busy")])
    made.run()
    assert made.run("again").text == ""


def test_a_stream_without_an_end_is_no_answer(rig):
    class Endless(ScriptedClient):
        async def stream(self, request):
            yield Text("a")

    finished = rig([], model=Endless([])).run()
    assert (finished.status, finished.exit_code) == ("contract", 4)


def test_a_fault_in_a_tool_is_reported_and_leaves_a_resumable_context(rig, make_call, make_calls):
    made = rig([make_calls(make_call("broken"), make_call("wait")), "ok"])
    finished = made.run()
    assert (finished.status, finished.exit_code) == ("failed", 1)
    assert "ZeroDivisionError" in finished.error
    assert well_formed(made.messages)
    assert made.run("go on").status == "done"


def test_only_one_run_at_a_time(rig, make_call, make_calls):
    async def scenario():
        made = rig([make_calls(make_call("wait")), "ok"])
        run = asyncio.create_task(made.agent.submit("go"))
        await made.tools.waiting.wait()
        with pytest.raises(RuntimeError):
            await made.agent.submit("me too")
        made.tools.release.set()
        assert (await run).status == "done"

    asyncio.run(scenario())


# Interrupts


def script(make_call, make_calls):
    return [
        make_calls(make_call("read", path="a.py"), make_call("write", path="b"), make_call("write", path="b"), text="Look:\nthere\n"),
        make_calls(make_call("read", path="b")),
        "All\ndone.\n",
    ]


def interrupt_at(made, index):
    return lambda at, _: made.agent.interrupt() if at == index else None


def test_an_interrupt_at_every_event(rig, make_call, make_calls, caplog):
    whole = rig(script(make_call, make_calls))
    whole.run()
    count = len(whole.events)
    assert count > 20
    for index in range(count - 1):
        made = rig([*script(make_call, make_calls), "More."])
        made.on_event = interrupt_at(made, index)
        finished = made.run()
        assert (finished.status, finished.exit_code) == ("interrupted", 130), index
        assert isinstance(made.events[-1], RunFinished)
        assert well_formed(made.messages), index
        assert replay(made.events).conversation == made.messages
        calls = [c.id for m in made.messages if isinstance(m, Assistant) for c in m.tool_calls]
        assert [m.call_id for m in made.messages if isinstance(m, ToolResult)] == calls, index
        before = made.messages
        made.on_event = None
        assert made.run("go on").status == "done", index
        assert is_prefix(before, made.messages)
    gc.collect()
    assert not caplog.records


def test_an_interrupt_during_a_stream_keeps_what_was_said(rig):
    async def scenario():
        pause = Pause(asyncio.Event(), asyncio.Event())
        made = rig([[Reasoning("thought"), Text("Half an "), pause]])
        run = asyncio.create_task(made.agent.submit("go"))
        await pause.reached.wait()
        made.agent.interrupt()
        return made, await run

    made, finished = asyncio.run(scenario())
    assert (finished.status, finished.text) == ("interrupted", "Half an ")
    assert made.messages[2:] == (
        Assistant("Half an ", "thought"),
        User("[The answer above is not complete: interrupted by the user.]"),
    )
    assert made.model.cancelled == 1


def test_an_interrupt_during_tools_keeps_finished_results(rig, make_call, make_calls):
    async def scenario():
        made = rig([make_calls(make_call("wait"), make_call("read", path="a.py"), make_call("wait"))])
        run = asyncio.create_task(made.agent.submit("go"))
        await made.tools.until(started=3, running=2)
        made.agent.interrupt()
        made.agent.interrupt()
        return made, await run

    made, finished = asyncio.run(scenario())
    assert finished.exit_code == 130
    assert [message.content for message in made.messages[3:]] == [INTERRUPTED, "x = 1\n", INTERRUPTED]
    assert [message.ok for message in made.messages[3:]] == [False, True, False]


def test_a_cancelled_caller_interrupts_the_run(rig, make_call, make_calls):
    async def scenario():
        made = rig([make_calls(make_call("wait"))])
        run = asyncio.create_task(made.agent.submit("go"))
        await made.tools.waiting.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        return made

    made = asyncio.run(scenario())
    assert made.events[-1].status == "interrupted"
    assert made.messages[-1].content == INTERRUPTED


def test_a_tool_that_ignores_being_stopped_is_left_behind(rig, make_call, make_calls):
    async def scenario():
        made = rig([make_calls(make_call("stubborn"))], grace=0.01)
        run = asyncio.create_task(made.agent.submit("go"))
        await made.tools.waiting.wait()
        made.agent.interrupt()
        finished = await run
        count = len(made.events)
        made.tools.stubborn_release.set()
        await made.tools.until(running=0)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(made.events) == count
        return made, finished

    made, finished = asyncio.run(scenario())
    assert finished.status == "interrupted"
    assert made.messages[-1].content == INTERRUPTED


def test_an_interrupt_without_a_run_does_nothing(rig):
    made = rig(["ok"])
    made.agent.interrupt()
    assert made.run().status == "done"


# Steering


def test_a_steer_is_said_between_steps(rig, make_call, make_calls):
    made = rig(
        [make_calls(make_call("read", path="a.py")), "ok"],
        on_event=lambda _, event: made.agent.steer("be quick") if isinstance(event, ToolCallReady) else None,
    )
    made.run()
    assert [type(m) for m in made.messages] == [System, User, Assistant, ToolResult, User, Assistant]
    assert made.messages[4] == User("be quick")


def test_a_steer_during_the_last_answer_asks_for_one_more_step(rig):
    steered = []

    def steer_once(_, event):
        if isinstance(event, TextDelta) and not steered:
            steered.append(True)
            made.agent.steer("and b?")

    made = rig(["About a.", "About b."], on_event=steer_once)
    assert made.run().text == "About b."
    assert made.messages[3] == User("and b?")


# Budgets


def test_the_step_limit(rig, make_call, make_calls):
    made = rig([make_calls(make_call("read", path="a.py"), text=f"step {n}") for n in range(9)], limits=Limits(steps=2))
    finished = made.run()
    assert (finished.status, finished.exit_code, finished.steps, finished.text) == ("budget", 124, 2, "step 1")
    assert "2 steps" in finished.error
    assert well_formed(made.messages)


def test_the_token_and_money_limits(rig, make_call, make_calls):
    looping = [make_calls(make_call("write", path=f"f{n}")) for n in range(9)]
    assert rig(looping, limits=Limits(tokens=300)).run().steps == 3
    priced = ScriptedClient(looping, info=ModelInfo("m", "e", 1000, price_in=10_000.0, price_out=0.0))
    finished = rig([], model=priced, limits=Limits(usd=1.5)).run()
    assert (finished.steps, finished.cost_usd, finished.status) == (2, 2.0, "budget")


def test_a_money_limit_without_a_price_is_announced(rig):
    made = rig(["ok"], limits=Limits(usd=1.0))
    made.run()
    assert any(isinstance(event, Notice) and "price" in event.text for event in made.events)


def test_the_deadline_ends_a_stream_and_a_tool(rig, make_call, make_calls):
    async def streaming():
        pause = Pause(asyncio.Event(), asyncio.Event())
        made = rig([[Text("So far"), pause]], limits=Limits(seconds=0.05))
        return made, await made.agent.submit("go")

    made, finished = asyncio.run(streaming())
    assert (finished.status, finished.exit_code, finished.text) == ("budget", 124, "So far")

    made = rig([make_calls(make_call("wait"))], limits=Limits(seconds=0.05))
    finished = made.run()
    assert finished.exit_code == 124
    assert made.messages[-1].content == "Stopped before it finished: the limit of 0.05 seconds is reached."


# Loops


def test_a_loop_is_reminded_and_then_stopped(rig, make_call, make_calls):
    made = rig([make_calls(make_call("read", path="a.py")) for _ in range(30)])
    finished = made.run()
    assert (finished.status, finished.exit_code, finished.steps) == ("failed", 1, 12)
    assert "loop" in finished.error
    results = [m.content for m in made.messages if isinstance(m, ToolResult)]
    assert [n for n, text in enumerate(results, 1) if "same arguments" in text] == [3, 5, 8]
    assert well_formed(made.messages)


# Answers that do not count


def test_an_empty_answer_is_asked_again_and_then_fails(rig):
    assert rig([Assistant("", "hm"), "Now."]).run().text == "Now."
    finished = rig([Assistant("", "hm")] * 5).run()
    assert (finished.status, finished.exit_code, finished.steps) == ("contract", 4, 3)


def test_an_answer_cut_at_the_output_limit_is_continued(rig):
    made = rig([[Finished(Assistant("One, "), Usage(1, 1), "length")], "two."])
    assert made.run().text == "One, two."
    assert "cut at the output limit" in made.messages[3].content


# The log refuses


def test_a_log_that_can_not_be_written_ends_the_run_and_loses_nothing(rig, make_call, make_calls):
    whole = rig(script(make_call, make_calls))
    whole.run()
    for broken_at in range(len(whole.events)):
        log = []
        full = [broken_at]

        def emit(event, log=log, full=full):
            if full and len(log) == full[0]:
                raise SessionError("the disk is full")
            log.append(event)

        made = rig([*script(make_call, make_calls), "Later."], emit=emit)
        finished = made.run()
        assert (finished.status, finished.exit_code) == ("failed", 1), broken_at
        assert "disk is full" in finished.error
        assert len(log) == broken_at
        assert well_formed(made.messages), broken_at
        before = made.messages
        assert made.run("still full").status == "failed"
        full.clear()
        assert made.run("space again").status == "done"
        assert is_prefix(before, made.messages)
        assert replay(log).conversation == made.messages, broken_at


# The invariant

answers = st.lists(
    st.one_of(
        st.text(max_size=20).map(lambda text: Assistant(text)),
        st.lists(st.sampled_from(["read", "write", "shell", "none"]), min_size=1, max_size=3),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answers, st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=3), st.integers(0, 60))
def test_every_request_is_a_prefix_of_the_next(rig, make_call, make_calls, script, prompts, stop):
    entries = [entry if isinstance(entry, Assistant) else make_calls(*(make_call(name, path="a.py") for name in entry)) for entry in script]
    made = rig(entries)
    made.on_event = interrupt_at(made, stop)
    for prompt in prompts:
        made.run(prompt)
    sent = [request.messages for request in made.model.requests]
    for earlier, later in itertools.pairwise(sent):
        assert is_prefix(earlier, later)
    assert len({request.tools for request in map(_tools_rendered, made.model.requests)}) <= 1
    assert replay(made.events).conversation == made.messages
    assert well_formed(tuple(m for m in made.messages if not _blank(m)))
    assert rendered(made.messages).count(b"\n") == len(made.messages)


def _tools_rendered(request):
    return msgspec.structs.replace(request, tools=msgspec.json.encode(request.tools))


def _blank(message):
    match message:
        case Assistant(content=content, tool_calls=calls):
            return not calls and not content.strip()
        case User(content=content):
            return not content.strip()
        case _:
            return False
