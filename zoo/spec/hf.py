"""Hugging Face transformers' configurations: ``config.json`` of CLIPModel or of one of its towers.

A field that is absent has transformers' own default (CLIPConfig, CLIPTextConfig and
CLIPVisionConfig of transformers 5); one that asks for something else is refused by name.
"""

from __future__ import annotations

from typing import Any, TypeVar

from zoo.errors import ConfigError
from zoo.spec import ACTIVATIONS, CLIPSpec, TextSpec, TowerSpec, VisionSpec
from zoo.spec.fields import MAX_LAYERS, Fields, check_tower
from zoo.spec.open_clip import NORM_EPS

Tower = TypeVar("Tower", bound=TowerSpec)

CONFIG_NAME = "config.json"
BOTH, VISION, TEXT = "clip", "clip_vision_model", "clip_text_model"
CLASSES = {
    BOTH: "CLIPModel",
    VISION: "CLIPVisionModelWithProjection",
    TEXT: "CLIPTextModelWithProjection",
}
PROJECTION_DIM = 512
VOCAB_SIZE = 49408
ARGMAX_EOS = 2  # what configurations said of old; transformers then pools at the highest id

# What any configuration of transformers may hold and no CLIP computes with in evaluation: how
# weights are drawn, what generating text takes, names of labels, types to load in.
_GENERIC = (
    *("_name_or_path", "_commit_hash", "_attn_implementation_autoset", "transformers_version"),
    *("dtype", "torch_dtype", "torchscript", "use_bfloat16", "return_dict", "use_return_dict"),
    *("initializer_factor", "initializer_range", "logit_scale_init_value", "attention_dropout"),
    *("dropout", "gradient_checkpointing", "chunk_size_feed_forward", "tf_legacy_loss"),
    *("bos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id", "tokenizer_class"),
    *("id2label", "label2id", "finetuning_task", "problem_type", "task_specific_params", "prefix"),
    *("is_decoder", "is_encoder_decoder", "add_cross_attention", "cross_attention_hidden_size"),
    *("tie_encoder_decoder", "tie_word_embeddings", "output_attentions", "output_hidden_states"),
    *("output_scores", "return_dict_in_generate", "remove_invalid_values", "bad_words_ids"),
    *("begin_suppress_tokens", "suppress_tokens", "forced_bos_token_id", "forced_eos_token_id"),
    *("do_sample", "early_stopping", "max_length", "min_length", "num_beams", "num_beam_groups"),
    *("num_return_sequences", "diversity_penalty", "length_penalty", "repetition_penalty"),
    *("exponential_decay_length_penalty", "encoder_no_repeat_ngram_size", "no_repeat_ngram_size"),
    *("temperature", "top_k", "top_p", "typical_p"),
)


def parse(data: dict[str, Any], where: str) -> CLIPSpec:
    """Reads a parsed ``config.json``, which says nothing of preprocessing; ``where`` stands in
    messages.

    Raises:
        ConfigError: a field is unknown, of the wrong type, or asks for another architecture.
    """
    fields = Fields(data, where)
    kind = fields.choice("model_type", tuple(CLASSES))
    if fields.take("architectures", list, [CLASSES[kind]]) != [CLASSES[kind]]:
        raise ConfigError(
            f"architectures is {data['architectures']!r}; zoo reads {', '.join(CLASSES.values())}",
            where=where,
        )
    # CLIPModel takes its own projection_dim, and a tower alone that of its configuration.
    embed_dim = fields.positive("projection_dim", PROJECTION_DIM)
    vision, text = None, None
    if kind == BOTH:
        vision = _vision(_section(fields, "vision_config", VISION))
        text = _text(_section(fields, "text_config", TEXT))
        fields.ignore(*_GENERIC)
        fields.finish()
    elif kind == VISION:
        vision = _vision(fields)
    else:
        text = _text(fields)
    return CLIPSpec(embed_dim=embed_dim, vision=vision, text=text, preprocess=None)


def _section(top: Fields, name: str, kind: str) -> Fields:
    """A tower's fields. Where the old ``..._dict`` is there, transformers takes it instead, and its
    own defaults for what is missing in it."""
    old, plain = top.optional(f"{name}_dict", dict), top.take(name, dict, {})
    fields = Fields(plain if old is None else old, f"{top.where}: {name}")
    fields.require("model_type", kind)
    fields.ignore("projection_dim", "architectures")
    return fields


def _vision(fields: Fields) -> VisionSpec:
    fields.require("num_channels", 3)
    image_size, patch_size = fields.positive("image_size", 224), fields.positive("patch_size", 32)
    spec = VisionSpec(
        **_tower(fields, width=768, mlp_width=3072, heads=12),
        image_size=(image_size, image_size),
        patch_size=(patch_size, patch_size),
        ln_pre=True,
        patch_dropout=0.0,
    )
    fields.ignore("eos_token_id", *_GENERIC)
    return _finished(fields, spec)


def _text(fields: Fields) -> TextSpec:
    spec = TextSpec(
        **_tower(fields, width=512, mlp_width=2048, heads=8),
        context_length=fields.positive("max_position_embeddings", 77),
        vocab_size=fields.positive("vocab_size", VOCAB_SIZE),
    )
    eos = fields.take("eos_token_id", int, VOCAB_SIZE - 1)
    # Words behind the tokenizer's last one can be the highest in a text, and are not where
    # transformers pools; where they are, the tokenizer's own end is not.
    if eos != ARGMAX_EOS and (eos != spec.vocab_size - 1 or spec.vocab_size > VOCAB_SIZE):
        raise ConfigError(
            f"eos_token_id = {eos} with vocab_size = {spec.vocab_size} is not supported; zoo pools "
            f"at the highest id, and CLIP's tokenizer ends a text with {VOCAB_SIZE - 1}",
            where=fields.where,
        )
    fields.ignore(*_GENERIC)
    return _finished(fields, spec)


def _tower(fields: Fields, *, width: int, mlp_width: int, heads: int) -> dict[str, Any]:
    fields.require("pruned_heads", {})
    return {
        "width": fields.positive("hidden_size", width),
        "layers": fields.number("num_hidden_layers", int, 1, MAX_LAYERS + 1, 12),
        "heads": fields.positive("num_attention_heads", heads),
        "mlp_width": fields.positive("intermediate_size", mlp_width),
        "activation": fields.choice("hidden_act", ACTIVATIONS, "quick_gelu"),
        "norm_eps": fields.number("layer_norm_eps", float, 0, 1, NORM_EPS),
        "layer_scale": None,
    }


def _finished(fields: Fields, spec: Tower) -> Tower:
    # MetaCLIP's configurations say this in open_clip's words, which transformers does not read.
    fields.require("layers", spec.layers)
    fields.require("heads", spec.heads)
    fields.finish()
    check_tower(spec, fields.where)
    return spec


def dump(spec: CLIPSpec) -> dict[str, Any]:
    """``config.json`` for CLIPModel, or for the one tower that the model has.

    Raises:
        ConfigError: transformers has no such model.
    """
    vision = None if spec.vision is None else _dump_vision(spec.vision, spec.embed_dim)
    text = None if spec.text is None else _dump_text(spec.text, spec.embed_dim)
    if vision is None or text is None:
        return vision or text or {}
    for tower in (vision, text):
        del tower["architectures"]
    return {
        "architectures": [CLASSES[BOTH]],
        "model_type": BOTH,
        "projection_dim": spec.embed_dim,
        "vision_config": vision,
        "text_config": text,
    }


def _dump_vision(vision: VisionSpec, embed_dim: int) -> dict[str, Any]:
    (height, width), (patch_height, patch_width) = vision.image_size, vision.patch_size
    if height != width or patch_height != patch_width:
        raise ConfigError("transformers' CLIP has square pictures and patches")
    if not vision.ln_pre:
        raise ConfigError("transformers' CLIP always has the norm before the first block")
    return {
        **_dump_tower(VISION, vision, embed_dim),
        "image_size": height,
        "patch_size": patch_height,
        "num_channels": 3,
    }


def _dump_text(text: TextSpec, embed_dim: int) -> dict[str, Any]:
    return {
        **_dump_tower(TEXT, text, embed_dim),
        "max_position_embeddings": text.context_length,
        "vocab_size": text.vocab_size,
        "bos_token_id": text.vocab_size - 2,
        "eos_token_id": text.vocab_size - 1,
    }


def _dump_tower(kind: str, tower: TowerSpec, embed_dim: int) -> dict[str, Any]:
    return {
        "architectures": [CLASSES[kind]],
        "model_type": kind,
        "projection_dim": embed_dim,
        "hidden_size": tower.width,
        "num_hidden_layers": tower.layers,
        "num_attention_heads": tower.heads,
        "intermediate_size": tower.mlp_width,
        "hidden_act": tower.activation,
        "layer_norm_eps": tower.norm_eps,
    }
