"""Layers in llama.cpp's graphs: whole, or in the steps that an evaluation callback makes of them."""

from tests.engine.native.experts import steps

ROUNDING = 1e-4
"""Of a SwiGLU in 32 bits; its values go up to a few hundred."""


def test_steps_of_a_layer_are_what_the_whole_layer_is() -> None:
    whole, ending_at_glu, ending_at_gate, every = steps.run()
    assert (whole["read"], whole["differ"]) == (0, 0)
    assert whole["sum"] > 0
    for run in (ending_at_glu, ending_at_gate, every):
        assert run["read"] > 0
        assert run["differ"] == 0
    assert every["read"] == 4 * ending_at_glu["read"]
    assert 0 <= every["apart"] < ROUNDING
