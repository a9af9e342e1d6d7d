"""kimi-nano: K2.6's architecture in miniature, in PyTorch, for training only.

The same parts under the same names: multi-head latent attention (low-rank q and kv, a rotary part shared by all heads), one leading
dense layer, then layers of routed experts with one shared expert, a sigmoid router that selects by score plus bias (noaux_tc) and
weighs by score alone. The engine runs the trained weights through llama.cpp like any other K2 file; nothing here serves.
What this module does not do: optimise (`muonclip`), or write a model file (`export`).

Shapes: B sequences, T positions, D width, H heads, E experts, F an expert's width. Sources: DeepSeek-V3 report sections 2.1, 2.2.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """Sizes of a model. Every inner dimension is a multiple of 32, as GGUF's Q8_0 blocks need."""

    vocab: int = 1024
    width: int = 256
    layers: int = 5
    dense_layers: int = 1
    heads: int = 4
    nope: int = 32
    rope: int = 32
    value: int = 64
    q_lora: int = 128
    kv_lora: int = 64
    dense_ff: int = 768
    expert_ff: int = 128
    experts: int = 8
    active: int = 2
    rope_base: float = 10_000.0
    context: int = 4096
    eps: float = 1e-5


class RMSNorm(nn.Module):
    """x / rms(x), scaled per channel."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension, in float32."""
        return functional.rms_norm(x.float(), (x.shape[-1],), self.weight, self.eps).to(x.dtype)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Rotary embedding over interleaved pairs (ggml's NORM type). x: [..., T, rope]; angles: [T, rope / 2]."""
    even, odd = x[..., 0::2], x[..., 1::2]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


class Attention(nn.Module):
    """Multi-head latent attention. `max_logit` holds each head's largest logit in the last batch, or a bound of it, [H]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        s = self.shape = shape
        self.q_a = nn.Linear(s.width, s.q_lora, bias=False)
        self.q_a_norm = RMSNorm(s.q_lora, s.eps)
        self.q_b = nn.Linear(s.q_lora, s.heads * (s.nope + s.rope), bias=False)
        self.kv_a = nn.Linear(s.width, s.kv_lora + s.rope, bias=False)
        self.kv_a_norm = RMSNorm(s.kv_lora, s.eps)
        self.kv_b = nn.Linear(s.kv_lora, s.heads * (s.nope + s.value), bias=False)
        self.out = nn.Linear(s.heads * s.value, s.width, bias=False)
        self.max_logit = torch.zeros(s.heads)

    def forward(self, x: Tensor, angles: Tensor, clip_above: float | None) -> Tensor:
        """x: [B, T, D] → [B, T, D]. With `clip_above`, records each head's largest logit where it may exceed that."""
        s, (batch, length, _) = self.shape, x.shape
        q, k, v = self.project(x, angles)
        if clip_above is not None:
            self.max_logit = largest_logits(q.detach(), k.detach(), unless_below=clip_above)
        mixed = attend(q, k, v)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, s.heads * s.value))
        return out

    def project(self, x: Tensor, angles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k: [B, H, T, nope + rope]; v: [B, H, T, value]."""
        s, (batch, length, _) = self.shape, x.shape
        q = self.q_b(self.q_a_norm(self.q_a(x))).view(batch, length, s.heads, -1).transpose(1, 2)
        latent, k_rope = self.kv_a(x).split((s.kv_lora, s.rope), dim=-1)
        k_nope, v = self.kv_b(self.kv_a_norm(latent)).view(batch, length, s.heads, -1).transpose(1, 2).split((s.nope, s.value), dim=-1)
        q_nope, q_rope = q.split((s.nope, s.rope), dim=-1)
        k_rope = rotate(k_rope.unsqueeze(1), angles).expand(-1, s.heads, -1, -1)
        return torch.cat((q_nope, rotate(q_rope, angles)), -1), torch.cat((k_nope, k_rope), -1), v


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal softmax attention. q, k: [B, H, T, width], v: [B, H, T, value] → [B, H, T, value].

    Two batched products with the mask added by the first: at these lengths somewhat faster on a CPU in bfloat16 than
    `scaled_dot_product_attention`, forward and backward (`benchmarks/nano_attention.py`).
    """
    length, width = q.shape[-2:]
    mask = torch.full((length, length), float("-inf"), dtype=q.dtype).triu(1)
    rows = q.flatten(0, 1) * width**-0.5
    logits = torch.baddbmm(mask.expand(rows.shape[0], -1, -1), rows, k.flatten(0, 1).mT)
    mixed: Tensor = (logits.softmax(-1).to(v.dtype) @ v.flatten(0, 1)).view_as(v)
    return mixed


def largest_logits(q: Tensor, k: Tensor, unless_below: float) -> Tensor:
    """Each head's largest q·k / sqrt(width) over the batch, [H], in float32, over causal and non-causal pairs alike.

    Where the product of the largest norms shows that a head stays under `unless_below`, that bound is returned instead.
    """
    q, k = q.float(), k.float()
    scale = q.shape[-1] ** -0.5
    bound: Tensor = q.norm(dim=-1).amax((0, 2)) * k.norm(dim=-1).amax((0, 2)) * scale
    for head in (bound > unless_below).nonzero().flatten().tolist():
        bound[head] = (q[:, head] @ k[:, head].transpose(-1, -2)).amax() * scale
    return bound


class Dense(nn.Module):
    """A SwiGLU feed-forward."""

    def __init__(self, width: int, ff: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, ff, bias=False)
        self.up = nn.Linear(width, ff, bias=False)
        self.down = nn.Linear(ff, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: [..., D] → [..., D]."""
        out: Tensor = self.down(functional.silu(self.gate(x)) * self.up(x))
        return out


class Experts(nn.Module):
    """Routed experts and the shared one. `bias` steers selection only; it is moved after each step, by load, not by gradient."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        s = self.shape = shape
        self.router = nn.Linear(s.width, s.experts, bias=False)
        self.bias: Tensor
        self.register_buffer("bias", torch.zeros(s.experts))
        self.gate = nn.Parameter(torch.empty(s.experts, s.expert_ff, s.width))
        self.up = nn.Parameter(torch.empty(s.experts, s.expert_ff, s.width))
        self.down = nn.Parameter(torch.empty(s.experts, s.width, s.expert_ff))
        self.shared = Dense(s.width, s.expert_ff)
        self.load = torch.zeros(s.experts)

    def forward(self, x: Tensor) -> Tensor:
        """x: [B, T, D] → [B, T, D]."""
        rows = x.reshape(-1, x.shape[-1])
        scores = torch.sigmoid(functional.linear(rows.float(), self.router.weight))
        chosen = (scores.detach() + self.bias).topk(self.shape.active, dim=-1).indices  # [N, active]
        weights = scores.gather(-1, chosen)
        weights = weights / weights.sum(-1, keepdim=True)
        order = chosen.flatten().argsort(stable=True)
        counts = torch.bincount(chosen.flatten(), minlength=self.shape.experts)
        self.load = counts.float()
        source = order // self.shape.active
        parts = torch.split(rows[source], counts.tolist())
        outs = [self._expert(index, part) for index, part in enumerate(parts)]
        weighted = torch.cat(outs) * weights.flatten()[order].unsqueeze(-1).to(outs[0].dtype)
        routed = torch.zeros_like(rows, dtype=weighted.dtype).index_add(0, source, weighted)
        out: Tensor = (routed + self.shared(rows)).view_as(x)
        return out

    def _expert(self, index: int, rows: Tensor) -> Tensor:
        gate, up = functional.linear(rows, self.gate[index]), functional.linear(rows, self.up[index])
        return functional.linear(functional.silu(gate) * up, self.down[index])

    @torch.no_grad()
    def balance(self, rate: float) -> None:
        """Move the selection bias towards experts with less than their share of the last batch."""
        self.bias += rate * torch.sign(self.load.mean() - self.load)


class Layer(nn.Module):
    """Attention and feed-forward, each behind a norm and added to the stream."""

    def __init__(self, shape: Shape, index: int) -> None:
        super().__init__()
        self.attn_norm = RMSNorm(shape.width, shape.eps)
        self.attn = Attention(shape)
        self.ffn_norm = RMSNorm(shape.width, shape.eps)
        self.ffn: Dense | Experts = Dense(shape.width, shape.dense_ff) if index < shape.dense_layers else Experts(shape)

    def forward(self, x: Tensor, angles: Tensor, clip_above: float | None) -> Tensor:
        """x: [B, T, D] → [B, T, D]."""
        x = x + self.attn(self.attn_norm(x), angles, clip_above)
        out: Tensor = x + self.ffn(self.ffn_norm(x))
        return out


class Nano(nn.Module):
    """The whole model: token ids to logits."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.vocab, shape.width)
        self.layers = nn.ModuleList(Layer(shape, index) for index in range(shape.layers))
        self.norm = RMSNorm(shape.width, shape.eps)
        self.head = nn.Linear(shape.width, shape.vocab, bias=False)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5 * 0.5)
        nn.init.normal_(self.embed.weight, std=0.5)

    def forward(self, ids: Tensor, clip_above: float | None = None) -> Tensor:
        """ids: [B, T] → hidden states after the last norm, [B, T, D]; multiply by `head` where logits are wanted."""
        half = self.shape.rope // 2
        frequencies = self.shape.rope_base ** (-torch.arange(half, dtype=torch.float32) / half)
        angles = torch.outer(torch.arange(ids.shape[1], dtype=torch.float32), frequencies)
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, angles, clip_above)
        out: Tensor = self.norm(x)
        return out

    def experts(self) -> list[Experts]:
        """The layers' expert blocks, in order."""
        return [layer.ffn for layer in self.layers if isinstance(layer.ffn, Experts)]
