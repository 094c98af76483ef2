"""Our draws against open_clip's: two samples of one distribution."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp

from zoo.models.clip import CLIP
from zoo.models.initialize import initialize
from zoo.verify.reference.libraries import torch

pytestmark = [pytest.mark.paddle, pytest.mark.reference]

DRAWS = 8
SURPRISE = 1e-6  # a chance below which two samples are not of one distribution


@pytest.mark.parametrize("layer_scale", [None, 0.1])
def test_every_parameter_has_open_clips_distribution(
    layer_scale, spec, open_clip_model, to_open_clip
):
    spec = replace(
        spec,
        vision=replace(spec.vision, layer_scale=layer_scale),
        text=replace(spec.text, layer_scale=layer_scale),
    )
    ours, theirs = defaultdict(list), defaultdict(list)
    for seed in range(DRAWS):
        torch.manual_seed(seed)
        for name, parameter in open_clip_model(spec).named_parameters():
            theirs[name].append(parameter.detach().numpy().ravel())
        drawn = {n: p.numpy() for n, p in initialize(CLIP(spec), seed).named_parameters()}
        for name, array in to_open_clip(drawn).items():
            ours[name].append(array.ravel())
    assert ours.keys() == theirs.keys()
    for name in ours:
        mine, reference = np.concatenate(ours[name]), np.concatenate(theirs[name])
        if np.ptp(reference) == 0:
            np.testing.assert_array_equal(mine, reference, err_msg=name)
        else:
            assert ks_2samp(mine, reference).pvalue > SURPRISE, name
