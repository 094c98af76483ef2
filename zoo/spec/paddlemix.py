"""PaddleMIX's ``config.json`` (CLIPConfig of PaddleMIX 2).

A field that is absent has PaddleMIX's own default. Its image tower has no word for the activation
and always computes gelu, whatever the weights were trained with; ``quick_gelu`` in ``vision_cfg``,
which it accepts and ignores, is read as the word it lacks.
"""

from __future__ import annotations

from typing import Any, TypeVar

from zoo.errors import ConfigError
from zoo.spec import Activation, CLIPSpec, TextSpec, TowerSpec, VisionSpec
from zoo.spec.fields import Fields, check_tower, side
from zoo.spec.open_clip import NORM_EPS
from zoo.spec.ratio import ratio_of, width_of

Tower = TypeVar("Tower", bound=TowerSpec)

CONFIG_NAME = "config.json"
EMBED_DIM = 512

# How the same numbers are computed, and what is of use in training only.
_FASTER = ("xattn", "flash_attn", "fusedlinear", "fusedLN", "fuse_qv")
# What PaddleNLP writes into any configuration: how it runs, what generating text takes, names of
# labels. The towers' configurations are there a second time, and these are not read.
_GENERIC = (
    *("_name_or_path", "architectures", "dtype", "model_type", "paddlenlp_version", "return_dict"),
    *("vision_config", "text_config", "use_cache", "fuse_attention_qkv", "fuse_attention_ffn"),
    *("use_flash_attention", "use_fused_rms_norm", "use_fused_rope", "use_fused_linear"),
    *("use_fused_dropout_add", "use_fused_linear_cross_entropy", "chunk_size_feed_forward"),
    *("tensor_parallel_degree", "tensor_parallel_rank", "tensor_parallel_output"),
    *("pipeline_parallel_degree", "virtual_pp_degree", "pp_recompute_interval"),
    *("sep_parallel_degree", "context_parallel_degree", "sequence_parallel"),
    *("fuse_sequence_parallel_allreduce", "recompute", "recompute_granularity"),
    *("recompute_use_reentrant", "refined_recompute", "offload_recompute_inputs"),
    *("no_recompute_layers", "output_attentions", "output_hidden_states", "output_scores"),
    *("tie_word_embeddings", "tie_encoder_decoder", "is_encoder_decoder", "is_decoder"),
    *("add_cross_attention", "cross_attention_hidden_size", "classifier_dropout", "num_choices"),
    *("id2label", "label2id", "num_labels", "finetuning_task", "problem_type", "prefix"),
    *("task_specific_params", "tokenizer_class", "bos_token_id", "eos_token_id", "pad_token_id"),
    *("sep_token_id", "decoder_start_token_id", "bad_words_ids", "suppress_tokens"),
    *("begin_suppress_tokens", "forced_bos_token_id", "forced_eos_token_id", "do_sample"),
    *("early_stopping", "max_length", "min_length", "num_beams", "num_beam_groups"),
    *("num_return_sequences", "diversity_penalty", "length_penalty", "repetition_penalty"),
    *("exponential_decay_length_penalty", "encoder_no_repeat_ngram_size", "no_repeat_ngram_size"),
    *("temperature", "top_k", "top_p", "typical_p", "remove_invalid_values"),
    *("return_dict_in_generate",),
)


def parse(data: dict[str, Any], where: str) -> tuple[CLIPSpec, bool]:
    """Reads a parsed ``config.json``; ``where`` stands in messages.

    Returns:
        The specification without preprocessing, and whether it says which activation the image
        tower has; where it does not, gelu stands there.

    Raises:
        ConfigError: a field is unknown, of the wrong type, or asks for another architecture.
    """
    top = Fields(data, where)
    top.require("model_type", "clip")
    top.ignore("custom_text")  # the tensors' names tell
    _ignore_generic(top)
    vision, text = top.section("vision_cfg"), top.section("text_cfg")
    embed_dim = _embed_dim(top, vision, text)
    top.finish()
    activation: Activation = "quick_gelu" if text.take("quick_gelu", bool, False) else "gelu"
    says = "quick_gelu" in vision
    seen: Activation = "quick_gelu" if vision.take("quick_gelu", bool, False) else "gelu"
    spec = CLIPSpec(
        embed_dim=embed_dim,
        vision=_vision(vision, embed_dim, seen),
        text=_text(text, embed_dim, activation),
        preprocess=None,
    )
    return spec, says


def _embed_dim(top: Fields, vision: Fields, text: Fields) -> int:
    """At the top, or else in both towers, or else the default, as PaddleMIX finds it."""
    inner = [tower.optional("embed_dim", int) for tower in (vision, text)]
    if "embed_dim" in top:
        return top.positive("embed_dim")
    if inner[0] != inner[1]:
        raise ConfigError(
            f"embed_dim is {inner[0]} in vision_cfg and {inner[1]} in text_cfg", where=top.where
        )
    return inner[0] or EMBED_DIM


def _vision(fields: Fields, embed_dim: int, activation: Activation) -> VisionSpec:
    for name in ("global_average_pool", "attentional_pool", "output_tokens"):
        fields.require(name, False)
    fields.ignore("n_queries", "attn_pooler_heads")
    width = fields.positive("width", 768)
    head_width = fields.positive("head_width", 64)
    spec = VisionSpec(
        **_tower(fields, width, activation),
        heads=width // head_width,
        image_size=fields.pair("image_size", 224),
        patch_size=fields.pair("patch_size", 14),
        ln_pre=True,
        patch_dropout=fields.number("patch_dropout", float, 0, 1, 0.0),
    )
    fields.require("heads", spec.heads)
    return _finished(fields, embed_dim, spec)


def _text(fields: Fields, embed_dim: int, activation: Activation) -> TextSpec:
    fields.require("attn_mask", True)
    for name in ("embed_cls", "output_tokens"):
        fields.require(name, False)
    fields.ignore("pad_id")
    spec = TextSpec(
        **_tower(fields, fields.positive("width", 512), activation),
        heads=fields.positive("heads", 8),
        context_length=fields.positive("context_length", 77),
        vocab_size=fields.positive("vocab_size", 49408),
    )
    return _finished(fields, embed_dim, spec)


def _tower(fields: Fields, width: int, activation: Activation) -> dict[str, Any]:
    return {
        "width": width,
        "layers": fields.layers(12),
        "mlp_width": width_of(width, fields.mlp_ratio(4.0)),
        "activation": activation,
        "norm_eps": NORM_EPS,  # Paddle's default, as torch's
        "layer_scale": fields.optional("ls_init_value", float),
    }


def _finished(fields: Fields, embed_dim: int, spec: Tower) -> Tower:
    fields.require("output_dim", embed_dim)
    _ignore_generic(fields)
    fields.finish()
    check_tower(spec, fields.where)
    return spec


def _ignore_generic(fields: Fields) -> None:
    fields.ignore(*_FASTER, *_GENERIC)
    fields.require("pruned_heads", {})
    quantization = fields.optional("quantization_config", dict) or {}
    if quantization.get("weight_quantize_algo") is not None:
        raise ConfigError("quantised weights are not read", where=fields.where)


def dump(spec: CLIPSpec) -> dict[str, Any]:
    """``config.json`` for PaddleMIX's CLIP, with the activation beside what PaddleMIX knows.

    Raises:
        ConfigError: PaddleMIX has no such model.
    """
    if spec.vision is None or spec.text is None:
        raise ConfigError("PaddleMIX's CLIP has both towers; this model has one")
    vision, text = spec.vision, spec.text
    if not vision.ln_pre:
        raise ConfigError("PaddleMIX's CLIP always has the norm before the first block")
    return {
        "architectures": ["CLIP"],
        "model_type": "clip",
        "custom_text": False,
        "embed_dim": spec.embed_dim,
        "vision_cfg": {
            **_dump_tower(vision, spec.embed_dim),
            "image_size": side(vision.image_size),
            "patch_size": side(vision.patch_size),
            "head_width": vision.head_width,
            "patch_dropout": vision.patch_dropout,
        },
        "text_cfg": {
            **_dump_tower(text, spec.embed_dim),
            "context_length": text.context_length,
            "vocab_size": text.vocab_size,
            "heads": text.heads,
        },
    }


def _dump_tower(tower: TowerSpec, embed_dim: int) -> dict[str, Any]:
    return {
        "embed_dim": embed_dim,
        "width": tower.width,
        "layers": tower.layers,
        "mlp_ratio": ratio_of(tower.width, tower.mlp_width),
        "ls_init_value": tower.layer_scale,
        "quick_gelu": tower.activation == "quick_gelu",
    }
