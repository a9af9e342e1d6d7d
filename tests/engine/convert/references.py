"""Transformers' own K2, small and random, saved as checkpoints: what its forward pass says is what a converted model must say."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM
from transformers.models.kimi_k25 import Kimi_K25Config, Kimi_K25ForConditionalGeneration

from tests.engine.convert.checkpoints import VOCABULARY, write_vocabulary

ORIGINAL_CONTEXT = 64
"""Positions that rotary embedding is not stretched beyond."""

_SIZES = {
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "first_k_dense_replace": 1,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "q_lora_rank": 64,
    "kv_lora_rank": 64,
    "qk_nope_head_dim": 32,
    "qk_rope_head_dim": 32,
    "v_head_dim": 32,
    "moe_intermediate_size": 64,
    "intermediate_size": 256,
    "vocab_size": VOCABULARY,
    "routed_scaling_factor": 2.827,
    "norm_topk_prob": True,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
    "num_mtp_layers": 0,
    "bos_token_id": 263,
    "eos_token_id": 265,
    "pad_token_id": 518,
}
_YARN = {
    "rope_type": "yarn",
    "rope_theta": 50000.0,
    "factor": 64.0,
    "original_max_position_embeddings": ORIGINAL_CONTEXT,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
}


def language(folder: Path) -> DeepseekV3ForCausalLM:
    """A language model, saved in `folder` as transformers saves it, with a vocabulary beside it."""
    config = DeepseekV3Config(**_SIZES, rope_parameters=_YARN, attn_implementation="eager")
    model = DeepseekV3ForCausalLM(config).float().eval()
    _randomise(model, 0.08)
    model.save_pretrained(folder)
    write_vocabulary(folder)
    return model


def seeing(folder: Path) -> Kimi_K25ForConditionalGeneration:
    """A model with a vision tower, saved in `folder` with the names that K2.6's published checkpoint has."""
    text = {**_SIZES, "model_type": "deepseek_v3", "rope_parameters": _YARN}
    vision = {"patch_size": 14, "pos_emb_height": 8, "pos_emb_width": 8, "num_attention_heads": 2, "num_hidden_layers": 2}
    config = Kimi_K25Config(
        text_config=text,
        vision_config=vision | {"hidden_size": 64, "intermediate_size": 96},
        projection_hidden_size=64,
        tie_word_embeddings=False,
        image_token_id=500,
        video_token_id=501,
        attn_implementation="eager",
    )
    model = Kimi_K25ForConditionalGeneration(config).float().eval()
    _randomise(model, 0.1)
    model.save_pretrained(folder)
    saved = load_file(folder / "model.safetensors")
    save_file({_published(name): tensor for name, tensor in saved.items()}, folder / "model.safetensors")
    write_vocabulary(folder)
    return model


def _published(name: str) -> str:
    """What transformers saves under a name other than the one it loads from."""
    if name.startswith("language_model."):
        return name.replace(".blocks.", ".layers.")
    return name.replace("vision_tower.encoder.patch_embed", "vision_tower.patch_embed").removeprefix("model.")


def _randomise(model: torch.nn.Module, spread: float) -> None:
    """Every weight and the router's bias random, so that nothing is right by being zero or one."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weights in model.parameters():
            _fill(weights, spread, generator)
        for name, buffer in model.named_buffers():
            if name.endswith("e_score_correction_bias"):
                buffer.normal_(0, 0.3, generator=generator)


def _fill(weights: Tensor, spread: float, generator: torch.Generator) -> None:
    if weights.ndim > 1:
        weights.normal_(0, spread, generator=generator)
    else:
        weights.uniform_(0.5, 1.5, generator=generator)
