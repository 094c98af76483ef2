from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.clip import CLIP
from zoo.models.initialize import initialize
from zoo.runtime import import_paddle
from zoo.verify.tolerance import EPS

pytestmark = pytest.mark.paddle
paddle = import_paddle()

NAMES = ["tench", "missile", "great white shark, of the largest kind", "missile"]
TEMPLATES = ["a {}.", "itap of the {}, which is a rather long prompt"]


@pytest.fixture
def model(spec) -> CLIP:
    text = replace(spec.text, context_length=77, vocab_size=49408)
    model = initialize(CLIP(replace(spec, text=text)), 0)
    model.eval()
    return model


def test_columns_have_length_one_and_the_names_order(model):
    classifier = model.build_zero_shot_classifier(NAMES, TEMPLATES).numpy()
    assert classifier.shape == (21, 4)
    np.testing.assert_allclose(np.linalg.norm(classifier, axis=0), 1, rtol=4 * EPS)
    alone = model.build_zero_shot_classifier(NAMES[2:3], TEMPLATES).numpy()
    np.testing.assert_allclose(classifier[:, 2:3], alone, atol=16 * EPS)
    assert np.abs(classifier[:, 0] - classifier[:, 2]).max() > 1e-3


def test_a_name_that_comes_twice_gets_the_same_column(model):
    """Bit for bit, so that a tie stays a tie."""
    classifier = model.build_zero_shot_classifier(NAMES, TEMPLATES, batch_size=1).numpy()
    np.testing.assert_array_equal(classifier[:, 1], classifier[:, 3])


def test_every_prompt_is_encoded_once_beside_those_of_its_length(model):
    shapes = []
    model.transformer.register_forward_pre_hook(lambda _, x: shapes.append(x[0].shape[:2]))
    model.build_zero_shot_classifier(NAMES, TEMPLATES, batch_size=2)
    assert sum(batch for batch, _ in shapes) == 6
    lengths = [length for _, length in shapes]
    assert lengths == sorted(lengths) and lengths[-1] < 77


def test_batches_of_any_size_agree(model):
    one, all_ = (
        model.build_zero_shot_classifier(NAMES, TEMPLATES, batch_size=n).numpy() for n in (1, 64)
    )
    assert np.abs(one - all_).max() <= 16 * EPS  # other sums in 3 blocks, on numbers below 1


def test_templates_are_text_and_no_format_strings(model):
    name = "{0.__class__} {x}"
    plain = model.build_zero_shot_classifier([name], ["a {}: {y}"]).numpy()
    written = model.build_zero_shot_classifier([f"a {name}: {{y}}"], ["{}"]).numpy()
    np.testing.assert_array_equal(plain, written)


def test_what_makes_no_classifier(model):
    with pytest.raises(UsageError, match="at least one"):
        model.build_zero_shot_classifier([], TEMPLATES)
    with pytest.raises(UsageError, match="at least one"):
        model.build_zero_shot_classifier(NAMES, [])
    with pytest.raises(UsageError, match="for the class name"):
        model.build_zero_shot_classifier(NAMES, ["a photo"])


def test_no_gradient_is_kept(model):
    assert model.build_zero_shot_classifier(NAMES, TEMPLATES).stop_gradient
