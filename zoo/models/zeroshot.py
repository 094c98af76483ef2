"""Zero-shot classification: a classifier made of texts.

The protocol is open_clip's: every prompt's embedding is scaled to length 1, a class is the mean
over its prompts, and that is scaled to length 1 again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor

from zoo.errors import UsageError
from zoo.imagesets.imageset import PLACE
from zoo.inputs.tokenizer import Tokenizer

if TYPE_CHECKING:
    from zoo.models.clip import CLIP

Progress = Callable[[int, int], object]


def build_classifier(
    model: CLIP,
    names: Sequence[str],
    templates: Sequence[str],
    *,
    batch_size: int,
    progress: Progress = lambda done, of: None,
) -> Tensor:
    """The weights of a linear classifier on image features.

    Every different prompt is encoded once, with others of about its length, since a batch costs
    what its longest prompt costs.

    Args:
        model: a CLIP with a text tower.
        names: class names.
        templates: prompts with ``{}`` where the name goes.
        batch_size: prompts encoded at a time.
        progress: hears of every batch: prompts done, of how many.

    Returns:
        [E, classes], columns of length 1, in the type of the weights.

    Raises:
        UsageError: there are no names or no templates, or a template has no place for the name.
    """
    if not names or not templates:
        raise UsageError("a classifier needs at least one class name and one template")
    for template in templates:
        if PLACE not in template:
            raise UsageError("a template has no {} for the class name", where=template)
    if model.spec.text is None:
        raise UsageError("this model has no text tower")
    prompts = [[template.replace(PLACE, name) for template in templates] for name in names]
    rows = {prompt: row for row, prompt in enumerate(dict.fromkeys(chain(*prompts)))}
    tokens = Tokenizer(model.spec.text.context_length)(list(rows))
    features = encode_texts(model, tokens, batch_size, progress)  # [different prompts, E]
    means = np.stack([features[[rows[p] for p in of_class]].mean(axis=0) for of_class in prompts])
    columns = (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    return paddle.to_tensor(np.ascontiguousarray(columns), dtype=model.text_projection.dtype)


@paddle.no_grad()
def encode_texts(
    model: CLIP, tokens: NDArray[np.int64], batch_size: int, progress: Progress
) -> NDArray[np.float32]:
    """Unit features of token ids, [n, L] -> [n, E], batched by length."""
    assert model.spec.text is not None
    features = np.empty((len(tokens), model.spec.embed_dim), np.float32)
    shortest_first = tokens.argmax(axis=1).argsort(kind="stable")
    for start in range(0, len(tokens), batch_size):
        batch = shortest_first[start : start + batch_size]
        encoded = model.encode_text(tokens[batch], normalize=True)
        features[batch] = encoded.astype("float32").numpy()
        progress(start + len(batch), len(tokens))
    return features
