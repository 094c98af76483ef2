"""open_clip: torch's packed attention, in which q, k and v lie in one matrix."""

from __future__ import annotations

from zoo.convert.ops import Chain, Split, Transpose
from zoo.convert.tables.flat import flat
from zoo.convert.tables.rows import Format, Row, module, torch_linear


def _block(foreign: str, native: str) -> tuple[Row, ...]:
    qkv = tuple(f"{native}attn.{part}_proj" for part in "qkv")
    return (
        *module(f"{foreign}ln_1", f"{native}ln_1"),
        Row(
            (f"{foreign}attn.in_proj_weight",),
            tuple(f"{name}.weight" for name in qkv),
            Chain((Split(3), Transpose())),
        ),
        Row((f"{foreign}attn.in_proj_bias",), tuple(f"{name}.bias" for name in qkv), Split(3)),
        *(
            row
            for linear in ("attn.out_proj", "mlp.c_fc", "mlp.c_proj")
            for row in torch_linear(foreign + linear, native + linear)
        ),
        *module(f"{foreign}ln_2", f"{native}ln_2"),
    )


def _open_clip(name: str, text: str) -> Format:
    return flat(
        name,
        "open_clip",
        text,
        attention="in_proj_weight",
        block=_block,
        scale_shape=(),
        # Buffers of older versions, and the sizes that OpenAI's archives carry.
        dropped=frozenset({f"{text}attn_mask", "input_resolution", "context_length", "vocab_size"}),
    )


OPEN_CLIP = _open_clip("open_clip", "")
OPEN_CLIP_CUSTOM_TEXT = _open_clip("open_clip-custom-text", "text.")
