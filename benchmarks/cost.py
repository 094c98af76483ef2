"""How many operations a tower takes, counted from its specification: products and sums, no
normalisation, no activation. What nobody needs is not counted: the last block's output is read at
one token."""

from __future__ import annotations

from zoo.spec import CLIPSpec, TowerSpec


def image_gflop(spec: CLIPSpec) -> float:
    """For one picture."""
    assert spec.vision is not None
    vision = spec.vision
    height, width = vision.patch_size
    patches = 2 * (vision.tokens - 1) * 3 * height * width * vision.width
    head = 2 * vision.width * spec.embed_dim
    return 1e-9 * (patches + _transformer(vision, vision.tokens) + head)


def text_gflop(spec: CLIPSpec, tokens: int) -> float:
    """For one text of so many tokens, start and end included."""
    assert spec.text is not None
    head = 2 * spec.text.width * spec.embed_dim
    return 1e-9 * (_transformer(spec.text, tokens) + head)


def _transformer(tower: TowerSpec, tokens: int) -> int:
    """Four square products and two of the MLP per token, and attention's two per pair of them."""
    return (tower.layers - 1) * _block(tower, tokens, tokens) + _block(tower, tokens, 1)


def _block(tower: TowerSpec, tokens: int, wanted: int) -> int:
    """Keys and values of all tokens, all else of those whose output is wanted."""
    square, mlp = tower.width**2, tower.width * tower.mlp_width
    attention = 4 * tokens * wanted * tower.width
    return 2 * tokens * 2 * square + 2 * wanted * (2 * square + 2 * mlp) + attention
