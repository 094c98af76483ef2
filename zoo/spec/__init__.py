"""CLIPSpec: the whole of what a CLIP computes, apart from its weights.

Every field is keyword-only and has no default: nothing that changes a number is left to chance.
Each configuration format has a module here that reads and writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Activation = Literal["gelu", "quick_gelu"]
Resize = Literal["shortest", "squash", "longest"]
Interpolation = Literal["bicubic", "bilinear"]
ACTIVATIONS: tuple[Activation, ...] = ("gelu", "quick_gelu")
RESIZES: tuple[Resize, ...] = ("shortest", "squash", "longest")
INTERPOLATIONS: tuple[Interpolation, ...] = ("bicubic", "bilinear")
Pair = tuple[int, int]
RGB = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class TowerSpec:
    """A pre-norm transformer: what both towers share.

    ``mlp_width`` is the MLP's hidden width in units, not a ratio: configurations that give a ratio
    mean ``int(width * ratio)``.
    """

    width: int
    layers: int
    heads: int
    mlp_width: int
    activation: Activation
    norm_eps: float
    layer_scale: float | None  # initial value of LayerScale's gamma; None: no LayerScale

    @property
    def head_width(self) -> int:
        return self.width // self.heads


@dataclass(frozen=True, kw_only=True)
class VisionSpec(TowerSpec):
    image_size: Pair  # height, width in pixels
    patch_size: Pair  # height, width in pixels
    ln_pre: bool  # LayerNorm between the embeddings and the first block
    patch_dropout: float  # fraction of patches dropped in training; evaluation keeps all

    @property
    def grid(self) -> Pair:
        return (self.image_size[0] // self.patch_size[0], self.image_size[1] // self.patch_size[1])

    @property
    def tokens(self) -> int:
        """Patches and the class token."""
        return self.grid[0] * self.grid[1] + 1


@dataclass(frozen=True, kw_only=True)
class TextSpec(TowerSpec):
    context_length: int
    vocab_size: int


@dataclass(frozen=True, kw_only=True)
class PreprocessSpec:
    """How a picture becomes the image tower's input, in open_clip's terms.

    ``mean`` and ``std`` are per channel on values in [0, 1]; ``fill`` is the value in [0, 255] that
    pads the short side under ``longest``.
    """

    size: Pair
    mean: RGB
    std: RGB
    interpolation: Interpolation
    resize: Resize
    fill: int


@dataclass(frozen=True, kw_only=True)
class CLIPSpec:
    """Both towers and the way into them; a tower that a checkpoint lacks is None."""

    embed_dim: int
    vision: VisionSpec | None
    text: TextSpec | None
    preprocess: PreprocessSpec | None
