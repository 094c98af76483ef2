"""Which parameter learns at which rate, and which decay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
import_paddle()

from train.flags import Arguments  # noqa: E402
from train.groups import parameter_groups  # noqa: E402
from zoo.models.clip import CLIP  # noqa: E402
from zoo.spec import CLIPSpec  # noqa: E402

Rules = dict[str, tuple[float, float]]


@pytest.fixture
def rules(spec: CLIPSpec, arguments: Callable[..., Arguments]) -> Callable[..., Rules]:
    """(rate, decay) of every parameter, by the words of a command line."""

    def find(*words: object) -> Rules:
        found = arguments("--learning_rate", 0.1, "--weight_decay", 0.2, *words)
        return {
            name: (pytest.approx(0.1 * group.factor), group.decay)
            for group in parameter_groups(CLIP(spec), found)
            for name in group.parameters
        }

    return find


def test_every_parameter_is_in_one_group(spec: CLIPSpec, rules: Callable[..., Rules]) -> None:
    assert sorted(rules()) == sorted(name for name, _ in CLIP(spec).named_parameters())


def test_biases_norms_and_the_logit_scale_do_not_decay(rules: Callable[..., Rules]) -> None:
    free = {name for name, (_, decay) in rules().items() if decay == 0}
    assert "logit_scale" in free
    assert "visual.class_embedding" in free
    for name in rules():
        is_vector = name.endswith(".bias") or ".ln_" in name or name.startswith("ln_")
        assert (name in free) == (is_vector or name in {"logit_scale", "visual.class_embedding"})


def test_towers_have_their_own_rate_and_decay(rules: Callable[..., Rules]) -> None:
    found = rules("--visual_lr", 0.3, "--text_lr", 0.4, "--visual_wd", 0.5, "--text_wd", 0.6)
    assert found["visual.proj"] == (0.3, 0.5)
    assert found["text_projection"] == (0.4, 0.6)
    assert found["token_embedding.weight"] == (0.4, 0.6)
    assert found["visual.ln_post.bias"] == (0.3, 0.0)
    assert found["logit_scale"] == (0.1, 0.0)


def test_without_their_own_they_have_the_global_ones(rules: Callable[..., Rules]) -> None:
    assert rules()["visual.proj"] == rules()["text_projection"] == (0.1, 0.2)


def test_layer_decay_falls_from_the_head_to_the_embeddings(rules: Callable[..., Rules]) -> None:
    found = {name: rate for name, (rate, _) in rules("--layer_decay", 0.5).items()}
    for tower, layers in (("visual.", 2), ("", 3)):
        blocks = [f"{tower}transformer.resblocks.{i}.attn.q_proj.weight" for i in range(layers)]
        assert [found[name] for name in reversed(blocks)] == [
            0.1 * 0.5**i for i in range(1, 1 + layers)
        ]
        assert found[f"{tower}positional_embedding"] == 0.1 * 0.5 ** (layers + 1)
    embeddings = ("visual.conv1.weight", "visual.class_embedding", "visual.ln_pre.weight")
    assert [found[name] for name in embeddings] == [0.1 * 0.5**3] * 3
    assert found["token_embedding.weight"] == 0.1 * 0.5**4
    heads = ("visual.proj", "visual.ln_post.bias", "text_projection", "ln_final.weight")
    assert [found[name] for name in (*heads, "logit_scale")] == [0.1] * 5


def test_towers_have_their_own_layer_decay(rules: Callable[..., Rules]) -> None:
    found = rules("--visual_ld", 0.5, "--text_ld", 0.25)
    assert found["visual.transformer.resblocks.1.mlp.c_fc.weight"][0] == 0.05
    assert found["transformer.resblocks.2.mlp.c_fc.weight"][0] == 0.025


def test_locked_parameters_are_in_no_group(
    spec: CLIPSpec, arguments: Callable[..., Arguments]
) -> None:
    model = CLIP(spec)
    model.visual.proj.stop_gradient = True
    groups = parameter_groups(model, arguments())
    assert all("visual.proj" not in group.parameters for group in groups)
