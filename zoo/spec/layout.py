"""The native tensors of a specification: names in order, and shapes as named dimensions.

Names and layouts are those of PaddleMIX's CLIP: open_clip's flat names with attention split into
q, k and v; Linear weights are [in, out]; the projections are raw matrices used as ``x @ P``.
"""

from __future__ import annotations

from zoo.spec import CLIPSpec, TextSpec, TowerSpec, VisionSpec

Dim = str | int
Shape = tuple[int, ...]

LINEARS = ("attn.q_proj", "attn.k_proj", "attn.v_proj", "attn.out_proj")


def dimensions(spec: CLIPSpec) -> dict[str, int]:
    """The value of every named dimension, under the name a message would give it."""
    dims = {"embed_dim": spec.embed_dim}
    if spec.vision is not None:
        vision = spec.vision
        dims |= {
            "vision width": vision.width,
            "vision MLP width": vision.mlp_width,
            "patch height": vision.patch_size[0],
            "patch width": vision.patch_size[1],
            "image positions": vision.tokens,
        }
    if spec.text is not None:
        text = spec.text
        dims |= {
            "text width": text.width,
            "text MLP width": text.mlp_width,
            "context_length": text.context_length,
            "vocab_size": text.vocab_size,
        }
    return dims


def native_layout(spec: CLIPSpec) -> dict[str, tuple[Dim, ...]]:
    """Every tensor of a native checkpoint, in the order it is written."""
    layout: dict[str, tuple[Dim, ...]] = {"logit_scale": (1,)} if _contrastive(spec) else {}
    if spec.vision is not None:
        layout |= _vision(spec.vision)
    if spec.text is not None:
        layout |= _text(spec.text)
    return layout


def native_shapes(spec: CLIPSpec) -> dict[str, Shape]:
    """As ``native_layout``, with numbers for names."""
    dims = dimensions(spec)
    return {
        name: tuple(dims[dim] if isinstance(dim, str) else dim for dim in shape)
        for name, shape in native_layout(spec).items()
    }


def _contrastive(spec: CLIPSpec) -> bool:
    """One tower alone has no logit scale."""
    return spec.vision is not None and spec.text is not None


def _vision(vision: VisionSpec) -> dict[str, tuple[Dim, ...]]:
    width = "vision width"
    return {
        "visual.class_embedding": (width,),
        "visual.positional_embedding": ("image positions", width),
        "visual.proj": (width, "embed_dim"),
        "visual.conv1.weight": (width, 3, "patch height", "patch width"),
        **(_norm("visual.ln_pre", width) if vision.ln_pre else {}),
        **_blocks("visual.transformer", "vision", vision),
        **_norm("visual.ln_post", width),
    }


def _text(text: TextSpec) -> dict[str, tuple[Dim, ...]]:
    width = "text width"
    return {
        "positional_embedding": ("context_length", width),
        "text_projection": (width, "embed_dim"),
        "token_embedding.weight": ("vocab_size", width),
        **_blocks("transformer", "text", text),
        **_norm("ln_final", width),
    }


def _norm(name: str, width: str) -> dict[str, tuple[Dim, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _blocks(prefix: str, tower: str, spec: TowerSpec) -> dict[str, tuple[Dim, ...]]:
    width, mlp = f"{tower} width", f"{tower} MLP width"
    layout: dict[str, tuple[Dim, ...]] = {}
    for index in range(spec.layers):
        block = f"{prefix}.resblocks.{index}"
        layout |= _norm(f"{block}.ln_1", width)
        for linear in LINEARS:
            layout |= {
                f"{block}.{linear}.weight": (width, width),
                f"{block}.{linear}.bias": (width,),
            }
        layout |= _norm(f"{block}.ln_2", width)
        layout |= {
            f"{block}.mlp.c_fc.weight": (width, mlp),
            f"{block}.mlp.c_fc.bias": (mlp,),
            f"{block}.mlp.c_proj.weight": (mlp, width),
            f"{block}.mlp.c_proj.bias": (width,),
        }
        if spec.layer_scale is not None:
            layout |= {f"{block}.ls_1.gamma": (width,), f"{block}.ls_2.gamma": (width,)}
    return layout
