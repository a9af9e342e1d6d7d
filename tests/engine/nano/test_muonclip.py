"""MuonClip: the QK-clip identity, Newton–Schulz, and which parameters go where."""

import pytest
import torch

from engine.nano.model import Attention, Nano, Shape, largest_logits
from engine.nano.muonclip import MuonClip, orthogonalise, qk_clip

SHAPE = Shape(vocab=64, width=64, layers=2, heads=4, nope=16, rope=16, value=16, q_lora=32, kv_lora=32, dense_ff=64, expert_ff=32)


def logits(attention: Attention, x: torch.Tensor) -> torch.Tensor:
    angles = torch.outer(torch.arange(x.shape[1], dtype=torch.float32), torch.linspace(1.0, 0.1, SHAPE.rope // 2))
    q, k, _ = attention.project(x, angles)
    return q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5


def attention_and_input(scale: float) -> tuple[Attention, torch.Tensor]:
    torch.manual_seed(3)
    attention = Nano(SHAPE).layers[1].attn
    with torch.no_grad():
        attention.q_b.weight.mul_(scale)
    return attention, torch.randn(2, 7, SHAPE.width)


def test_clipped_heads_shrink_by_exactly_gamma_and_others_stay():
    attention, x = attention_and_input(scale=6.0)
    before = logits(attention, x)
    attention.max_logit = before.detach().amax((0, 2, 3))
    tau = attention.max_logit.median().item()  # two or three heads of four lie above
    clipped = attention.max_logit > tau
    assert 0 < int(clipped.sum()) < SHAPE.heads
    values = attention.kv_b.weight.detach().view(SHAPE.heads, SHAPE.nope + SHAPE.value, -1)[:, SHAPE.nope :].clone()
    assert qk_clip(attention, tau) == int(clipped.sum())
    after = logits(attention, x)
    gamma = torch.where(clipped, tau / attention.max_logit, 1.0).view(1, -1, 1, 1)
    torch.testing.assert_close(after, before * gamma, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after.amax((0, 2, 3))[clipped], torch.full((int(clipped.sum()),), tau), rtol=1e-4, atol=1e-5)
    assert torch.equal(attention.kv_b.weight.view(SHAPE.heads, SHAPE.nope + SHAPE.value, -1)[:, SHAPE.nope :], values)


def test_below_tau_nothing_changes():
    attention, x = attention_and_input(scale=1.0)
    attention.max_logit = logits(attention, x).detach().amax((0, 2, 3))
    weights = [p.clone() for p in attention.parameters()]
    assert qk_clip(attention, float(attention.max_logit.max()) + 1) == 0
    assert all(torch.equal(a, b) for a, b in zip(weights, attention.parameters(), strict=True))


def test_recorded_logits_are_exact_above_the_threshold_and_bounds_below():
    attention, x = attention_and_input(scale=6.0)
    angles = torch.outer(torch.arange(7, dtype=torch.float32), torch.linspace(1.0, 0.1, SHAPE.rope // 2))
    q, k, _ = attention.project(x, angles)
    exact = logits(attention, x).amax((0, 2, 3)).float()
    torch.testing.assert_close(largest_logits(q, k, unless_below=0.0), exact)
    assert bool((largest_logits(q, k, unless_below=1e9) >= exact).all())


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (3, 16, 32)])
def test_orthogonalise_brings_singular_values_near_one(shape: tuple[int, ...]):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(*shape)).float())
    assert bool(((values > 0.5) & (values < 1.5)).all())


def test_matrices_go_to_muon_and_the_rest_to_adam():
    model = Nano(SHAPE)
    optimiser = MuonClip(model, 1e-3, adam_lr=1e-3)
    muon = {id(p) for group in optimiser.muon.param_groups for p in group["params"]}
    adam = {id(p) for group in optimiser.adam.param_groups for p in group["params"]}
    assert muon | adam == {id(p) for p in model.parameters()}
    assert not muon & adam
    assert {id(model.embed.weight), id(model.head.weight)} <= adam
    assert id(model.experts()[0].gate) in muon


def test_training_lowers_the_loss_and_moves_the_selection_bias_towards_idle_experts():
    torch.manual_seed(1)
    model = Nano(SHAPE)
    optimiser = MuonClip(model, 4e-3, adam_lr=3e-3, tau=5.0)
    ids = torch.randint(0, SHAPE.vocab, (4, 24))
    losses = []
    for _ in range(12):
        hidden = model(ids[:, :-1], 5.0)
        loss = torch.nn.functional.cross_entropy(model.head(hidden).flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        optimiser.step(1.0)
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    experts = model.experts()[0]
    experts.load = torch.tensor([9.0, 1.0, *[5.0] * 6])
    experts.bias.zero_()
    experts.balance(0.01)
    assert experts.bias[0] < 0 < experts.bias[1]
