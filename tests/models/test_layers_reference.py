"""Every layer of both towers against open_clip's, for every field that changes what is computed."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.verify.compare import relative_rms
from zoo.verify.reference.libraries import torch
from zoo.verify.subject import CONTROLS, write_taps
from zoo.verify.tolerance import parity_bound

pytestmark = [pytest.mark.paddle, pytest.mark.reference]


def reference_taps(model, pixels, tokens) -> dict[str, np.ndarray]:
    taps = {}
    hooks = []
    for tower, transformer in (("visual", model.visual.transformer), ("text", model.transformer)):
        for i, block in enumerate(transformer.resblocks):
            hooks.append(
                block.register_forward_hook(
                    lambda _, inputs, output, tower=tower, i=i: taps.update(
                        {
                            f"{tower}.block.{i}": output,
                            **({f"{tower}.embed": inputs[0]} if i == 0 else {}),
                        }
                    )
                )
            )
    with torch.no_grad():
        image, text, scale = model(pixels, tokens)
        taps["logits"] = scale * image @ text.T
        taps["visual.features"] = model.encode_image(pixels)
        taps["text.features"] = model.encode_text(tokens)
    for hook in hooks:
        hook.remove()
    return {name: tensor.numpy() for name, tensor in taps.items()}


@pytest.fixture
def outside(open_clip_twin, write_checkpoint, inputs, tmp_path):
    """Runs both sides; gives the layers that leave the band."""
    pixels, tokens = inputs
    np.save(tmp_path / "input.pixels.npy", pixels)
    np.save(tmp_path / "input.tokens.npy", tokens)

    def run(spec, control=None) -> set[str]:
        model, weights = open_clip_twin(spec)
        folder = write_checkpoint(spec, weights)
        write_taps(folder=folder, inputs=tmp_path, out=tmp_path / "out", control=control)
        single = reference_taps(model, torch.tensor(pixels), torch.tensor(tokens))
        double = reference_taps(model.double(), torch.tensor(pixels).double(), torch.tensor(tokens))
        assert len(double) == 2 + 5 + 2 + 1
        return {
            name
            for name, exact in double.items()
            if relative_rms(np.load(tmp_path / "out" / f"{name}.npy"), exact)
            > parity_bound(relative_rms(single[name], exact))
        }

    return run


def test_every_layer_lies_in_the_band(variant, outside):
    assert not outside(variant)


@pytest.mark.parametrize("control", CONTROLS)
def test_every_mistake_leaves_it(control, outside, spec):
    seen = outside(spec, control)
    assert {"visual.block.0", "text.block.0", "logits"} <= seen
    assert "text.embed" not in seen
