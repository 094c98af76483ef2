"""Zero-shot classification: a classifier made of texts.

The protocol is open_clip's: every prompt's embedding is scaled to length 1, a class is the mean
over its prompts, and that is scaled to length 1 again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from zoo.errors import UsageError
from zoo.imagesets.imageset import PLACE
from zoo.inputs.tokenizer import Tokenizer
from zoo.spec import CLIPSpec

Features = NDArray[np.float32]
Encode = Callable[[NDArray[np.int64]], Features]  # token ids [n, L] -> unit features [n, E]
Progress = Callable[[int, int], object]


def build_classifier(
    encode: Encode,
    spec: CLIPSpec,
    names: Sequence[str],
    templates: Sequence[str],
    *,
    batch_size: int = 256,
    progress: Progress = lambda done, of: None,
) -> Features:
    """The weights of a linear classifier on image features.

    Every different prompt is encoded once, with others of about its length, since a batch costs
    what its longest prompt costs.

    Args:
        encode: the text tower.
        spec: the model's.
        names: class names.
        templates: prompts with ``{}`` where the name goes.
        batch_size: prompts encoded at a time.
        progress: hears of every batch: prompts done, of how many.

    Returns:
        [E, classes], columns of length 1.

    Raises:
        UsageError: there are no names or no templates, or a template has no place for the name.
    """
    if not names or not templates:
        raise UsageError("a classifier needs at least one class name and one template")
    for template in templates:
        if PLACE not in template:
            raise UsageError("a template has no {} for the class name", where=template)
    if spec.text is None:
        raise UsageError("this model has no text tower")
    prompts = [[template.replace(PLACE, name) for template in templates] for name in names]
    rows = {prompt: row for row, prompt in enumerate(dict.fromkeys(chain(*prompts)))}
    tokens = Tokenizer(spec.text.context_length)(list(rows))
    features = encode_texts(encode, tokens, spec.embed_dim, batch_size, progress)
    means = np.stack([features[[rows[p] for p in of_class]].mean(axis=0) for of_class in prompts])
    columns: Features = (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    return np.ascontiguousarray(columns)


def encode_texts(
    encode: Encode, tokens: NDArray[np.int64], embed_dim: int, batch_size: int, progress: Progress
) -> Features:
    """Unit features of token ids, [n, L] -> [n, E], batched by length."""
    features = np.empty((len(tokens), embed_dim), np.float32)
    shortest_first = tokens.argmax(axis=1).argsort(kind="stable")
    for start in range(0, len(tokens), batch_size):
        batch = shortest_first[start : start + batch_size]
        features[batch] = encode(tokens[batch])
        progress(start + len(batch), len(tokens))
    return features
