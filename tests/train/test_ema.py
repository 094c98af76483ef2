from __future__ import annotations

import numpy as np
import pytest

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
paddle = import_paddle()

from train.ema import MovingAverage  # noqa: E402
from zoo.models.clip import CLIP  # noqa: E402
from zoo.models.initialize import initialize  # noqa: E402
from zoo.spec import CLIPSpec  # noqa: E402


def test_the_average_follows_its_formula_and_leaves_the_model(spec: CLIPSpec) -> None:
    model = initialize(CLIP(spec), 0)
    first = model.visual.proj.numpy()
    average = MovingAverage(model, 0.75)
    model.visual.proj.set_value(first + 1)
    average.update(model)
    # One rounding for each product and the sum, on values of about 1.
    close = {"rtol": 0, "atol": 4 * np.finfo(np.float32).eps}
    np.testing.assert_allclose(average.weights["visual.proj"].numpy(), first + 0.25, **close)
    np.testing.assert_array_equal(model.visual.proj.numpy(), first + 1)


def test_a_restored_average_goes_on(spec: CLIPSpec) -> None:
    model = initialize(CLIP(spec), 0)
    average = MovingAverage(model, 0.75)
    stored = {name: weight.numpy() + 2 for name, weight in average.weights.items()}
    average.restore(stored)
    for name, weight in average.weights.items():
        np.testing.assert_array_equal(weight.numpy(), stored[name])
