"""MuonClip: Muon with weight decay and update scaling for matrices, AdamW for the rest, and QK-clip after each step.

Per matrix W (n×m) with gradient G: M ← μM + G; O = NewtonSchulz5(G + μM)·0.2·√max(n, m); W ← W(1 − ηλ) − ηO. After the step, for each
attention head whose largest logit S exceeded τ: with γ = τ/S, the head's q and k rows without rotary part are scaled by √γ and its
rotary q rows by γ (the rotary k part is shared by all heads and stays), so that head's logits shrink by exactly γ.
Source: Kimi K2 report (arXiv 2507.20534), Algorithm 1; Nesterov form and constants as in Moonlight (arXiv 2502.16982).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from engine.nano.model import Attention, Nano

MOMENTUM = 0.95


def orthogonalise(gradient: Tensor) -> Tensor:
    """Five Newton–Schulz steps towards the nearest semi-orthogonal matrix; the last two dimensions are the matrix, [..., n, m]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = gradient.bfloat16()
    transposed = x.shape[-2] > x.shape[-1]
    if transposed:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.mT if transposed else x
    return result


class Muon(torch.optim.Optimizer):
    """Muon over parameters of two or three dimensions; a third, leading one counts matrices (experts)."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        super().__init__(list(parameters), {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, _closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.mul_(MOMENTUM).add_(p.grad)
                update = orthogonalise(p.grad.add(momentum, alpha=MOMENTUM)).to(p.dtype)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update, alpha=-0.2 * group["lr"] * max(p.shape[-2:]) ** 0.5)


@torch.no_grad()
def qk_clip(attention: Attention, tau: float) -> int:
    """Scale down the heads whose recorded largest logit exceeds `tau`; answers how many there were."""
    s, largest = attention.shape, attention.max_logit
    heads = (largest > tau).nonzero().flatten().tolist()
    q = attention.q_b.weight.view(s.heads, s.nope + s.rope, s.q_lora)
    kv = attention.kv_b.weight.view(s.heads, s.nope + s.value, s.kv_lora)
    for head in heads:
        gamma = tau / largest[head]
        q[head, : s.nope] *= gamma.sqrt()
        q[head, s.nope :] *= gamma
        kv[head, : s.nope] *= gamma.sqrt()
    return len(heads)


class MuonClip:
    """The optimisers of one model and its QK-clip."""

    def __init__(self, model: Nano, lr: float, *, adam_lr: float, tau: float = 100.0, weight_decay: float = 0.1) -> None:
        other = {id(p) for p in (*model.embed.parameters(), *model.head.parameters())}
        matrices = [p for p in model.parameters() if p.ndim >= 2 and id(p) not in other]
        rest = [p for p in model.parameters() if p.ndim < 2 or id(p) in other]
        self.muon = Muon(matrices, lr, weight_decay)
        self.adam = torch.optim.AdamW(rest, adam_lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
        self.tau = tau
        self._peaks = lr, adam_lr
        self._attention = [layer.attn for layer in model.layers if isinstance(layer.attn, Attention)]

    def step(self, fraction: float) -> int:
        """One step at `fraction` of the peak learning rates; answers how many heads were clipped."""
        for optimiser, peak in zip((self.muon, self.adam), self._peaks, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = peak * fraction
        self.muon.step()
        self.adam.step()
        for optimiser in (self.muon, self.adam):
            optimiser.zero_grad(set_to_none=True)
        return sum(qk_clip(attention, self.tau) for attention in self._attention)

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps of the optimisers."""
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def restore(self, state: dict[str, dict[str, object]]) -> None:
        """Go on from `state()` of an earlier run."""
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
