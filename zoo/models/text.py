"""The text tower: a causal transformer, pooled at the end token.

Shapes: B batch, L tokens, W width, E the embedding both towers share.
"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn

from zoo.models.block import Transformer, layer_norm
from zoo.spec import TextSpec


class TextTower(nn.Layer):
    """Token ids to embeddings.

    CLIP inherits its parts: the native names keep them at the root, beside ``visual``. Without a
    ``spec`` there are none.
    """

    def __init__(self, spec: TextSpec | None, embed_dim: int) -> None:
        super().__init__()
        if spec is None:
            return
        self.token_embedding = nn.Embedding(spec.vocab_size, spec.width)
        self.positional_embedding = self.create_parameter([spec.context_length, spec.width])
        self.transformer = Transformer(spec)
        self.ln_final = layer_norm(spec)
        self.text_projection = self.create_parameter([spec.width, embed_dim])
        mask = paddle.full([spec.context_length, spec.context_length], float("-inf"))
        self.register_buffer("causal_mask", mask.triu(1), persistable=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """int [B, L] -> [B, E], not normalised; L is the context length or less

        The end token has the highest id, so argmax finds it.
        """
        length = tokens.shape[1]
        x = self.token_embedding(tokens) + self.positional_embedding[:length]  # [B, L, W]
        end = tokens.argmax(axis=1).reshape([-1, 1, 1])
        x = self.transformer(x, self.causal_mask[:length, :length], end)  # [B, 1, W]
        return self.ln_final(x.squeeze(1)) @ self.text_projection
