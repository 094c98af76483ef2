"""Samples: the same in every process, and bad pictures left out, counted and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
import_paddle()

from train.data.bad import BadSamples  # noqa: E402
from train.data.order import BatchOrder  # noqa: E402
from train.data.pairs import Pairs, read_json  # noqa: E402
from train.data.samples import TRIES, Inputs, PairDataset, load  # noqa: E402
from zoo.errors import DatasetError  # noqa: E402
from zoo.inputs.preprocess import Preprocess  # noqa: E402
from zoo.inputs.tokenizer import Tokenizer  # noqa: E402
from zoo.spec import CLIPSpec  # noqa: E402


@pytest.fixture
def inputs(spec: CLIPSpec) -> Inputs:
    return Inputs(preprocess=Preprocess(spec.preprocess), tokenizer=Tokenizer(9), seed=7)


@pytest.fixture
def pairs(pictures: Path) -> Pairs:
    return read_json(pictures / "train.json", pictures / "images")


def with_bad(pairs: Pairs, *indices: int) -> Pairs:
    paths = [f"/none/{i}.png" if i in indices else path for i, path in enumerate(pairs.paths)]
    return Pairs(paths=paths, captions=pairs.captions)


def test_a_sample_is_its_picture_and_caption(pairs: Pairs, inputs: Inputs) -> None:
    sample = PairDataset(pairs, inputs)[0, 3]
    image = Image.open(pairs.paths[3])
    expected = inputs.preprocess.train(image, rng=np.random.default_rng([7, 0, 3]))
    np.testing.assert_array_equal(sample.pixels, expected)
    np.testing.assert_array_equal(sample.tokens, inputs.tokenizer(pairs.captions[3])[0])
    assert sample.bad.tolist() == [0, -1]


def test_crops_differ_from_epoch_to_epoch_and_by_seed(pairs: Pairs, inputs: Inputs) -> None:
    dataset = PairDataset(pairs, inputs)
    assert not np.array_equal(dataset[0, 3].pixels, dataset[1, 3].pixels)
    np.testing.assert_array_equal(dataset[1, 3].pixels, dataset[1, 3].pixels)


@pytest.mark.parametrize("workers", [1, 2])
def test_worker_processes_change_nothing(pairs: Pairs, inputs: Inputs, workers: int) -> None:
    def batches(count: int) -> list[list[np.ndarray]]:
        order = BatchOrder(40, batch=8, rank=0, ranks=1, seed=1, steps=6)
        loader = load(PairDataset(with_bad(pairs, 4), inputs), order, workers=count)
        return [[tensor.numpy() for tensor in batch] for batch in loader]

    for ours, expected in zip(batches(workers), batches(0), strict=True):
        for found, array in zip(ours, expected, strict=True):
            np.testing.assert_array_equal(found, array)


def test_a_bad_picture_is_replaced_counted_and_named(
    pairs: Pairs, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = PairDataset(with_bad(pairs, 4), inputs)
    sample = dataset[0, 4]
    assert sample.bad.tolist() == [1, 4]
    captions = [dataset._inputs.tokenizer(caption)[0].tolist() for caption in pairs.captions]
    assert sample.tokens.tolist() in captions  # another one's, and its own picture
    bad = BadSamples(dataset.why)
    bad.note(np.stack([sample.bad, dataset[0, 5].bad]))
    assert bad.count == 1
    assert "There is no such picture (/none/4.png)" in capsys.readouterr().err


def test_the_replacement_is_the_same_every_time(pairs: Pairs, inputs: Inputs) -> None:
    first, second = (PairDataset(with_bad(pairs, 4), inputs)[0, 4] for _ in range(2))
    np.testing.assert_array_equal(first.pixels, second.pixels)


def test_no_picture_at_all_is_an_error(pairs: Pairs, inputs: Inputs) -> None:
    dataset = PairDataset(with_bad(pairs, *range(40)), inputs)
    sample = dataset[0, 9]
    assert sample.bad.tolist() == [TRIES, 9]
    with pytest.raises(DatasetError, match=r"100 pictures in a row.*/none/9.png"):
        BadSamples(dataset.why).note(sample.bad[None])
