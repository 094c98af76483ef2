"""Files that torch itself wrote, against torch.load, bit for bit."""

from __future__ import annotations

import argparse
import collections

import numpy as np
import pytest

from zoo.convert.readers import open_checkpoint
from zoo.errors import FormatError

torch = pytest.importorskip("torch", reason="compares with torch.load")
pytestmark = pytest.mark.reference

FORMATS = {"torch-zip": True, "torch-legacy": False}


@pytest.fixture(params=FORMATS)
def saved(request, tmp_path):
    """Saves a value in both of torch's formats, and opens the file."""
    path = tmp_path / "model.bin"

    def saved(value, **options):
        torch.save(value, path, _use_new_zipfile_serialization=FORMATS[request.param], **options)
        checkpoint = open_checkpoint(path)
        assert checkpoint.format == request.param
        return checkpoint

    return saved


def _assert_equal(checkpoint, tensors):
    assert list(checkpoint.tensors) == list(tensors)
    for name, expected in tensors.items():
        array = checkpoint.tensor(name)
        assert str(array.dtype) == str(expected.dtype).removeprefix("torch.")
        assert array.shape == tuple(expected.shape)
        assert not array.flags.writeable
        packed = torch.empty(expected.numel(), dtype=expected.dtype)
        packed.copy_(expected.detach().reshape(-1))
        assert array.tobytes() == packed.view(torch.uint8).numpy().tobytes()
        if expected.numel():
            itemsize = expected.element_size()
            assert all(
                ours == theirs * itemsize
                for ours, theirs, n in zip(
                    array.strides, expected.stride(), expected.shape, strict=True
                )
                if n > 1
            )


DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
]


def _values(*shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(7)
    bits = torch.randint(0, 256, (*shape, dtype.itemsize), generator=generator, dtype=torch.uint8)
    if dtype == torch.bool:
        bits %= 2
    return bits.view(dtype).squeeze(-1)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_type_and_shape(saved, protocol):
    tensors = {
        f"{dtype}/{shape}": _values(*shape, dtype=dtype)
        for dtype in DTYPES
        for shape in [(), (1,), (0,), (3, 0, 2), (7,), (2, 3), (2, 1, 3, 2)]
    }
    with saved(tensors, pickle_protocol=protocol) as checkpoint:
        _assert_equal(checkpoint, tensors)


def test_views(saved):
    base = _values(6, 8)
    cube = _values(2, 3, 4, 5)
    tensors = {
        "base": base,
        "transposed": base.t(),
        "row": base[3],
        "columns": base[:, 2:5],
        "every other": base[::2, ::3],
        "last": base[-1:, -1:],
        "nothing": base[6:],
        "diagonal": base.diagonal(),
        "expanded": _values(3, 1).expand(3, 4),
        "one for all": torch.tensor(2.5).expand(2, 3),
        "channels last": cube.contiguous(memory_format=torch.channels_last),
        "permuted": cube.permute(3, 0, 2, 1),
        "of no stride": torch.ones(1).as_strided((1, 1), (10**12, 10**12)),
        "windows": _values(10).as_strided((4, 3), (2, 1), 1),
    }
    with saved(tensors) as checkpoint:
        _assert_equal(checkpoint, tensors)


def test_parameters_and_shared_storages(saved):
    shared = torch.nn.Parameter(_values(4, 3))
    tensors = {"a": shared, "b": shared, "c": shared.data, "d": shared.data[1:]}
    with saved(tensors) as checkpoint:
        _assert_equal(checkpoint, tensors)
        assert len({layout.offset for layout in checkpoint.tensors.values()}) == 2


class _Tower(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = torch.nn.Parameter(torch.randn(3, 5))
        self.attn = torch.nn.MultiheadAttention(4, 2)
        self.norm = torch.nn.BatchNorm1d(4)
        self.logit_scale = torch.nn.Parameter(torch.tensor(2.6592))


def test_a_modules_state_dict(saved):
    state = _Tower().state_dict()
    assert isinstance(state, collections.OrderedDict)
    with saved(state) as checkpoint:
        _assert_equal(checkpoint, state)
        assert checkpoint.ignored == {}


def test_half_precision(saved):
    state = _Tower().to(torch.bfloat16).state_dict()
    with saved(state) as checkpoint:
        _assert_equal(checkpoint, state)


def test_a_training_checkpoint(saved):
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 2])
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    scheduler.step()
    value = {
        "epoch": 32,
        "name": "run",
        "state_dict": {f"module.{name}": t for name, t in model.state_dict().items()},
        "optimizer": optimizer.state_dict(),
        "scaler": {"scale": 65536.0, "_growth_tracker": 0},
        "scheduler": scheduler.state_dict(),
        "args": argparse.Namespace(lr=1e-3, betas=(0.9, 0.98), precision=torch.bfloat16),
        "best": np.float64(0.66),
        "shape": torch.Size([3, 2]),
        "device": torch.device("cpu"),
        "mean": np.zeros(3, np.float32),
        "seen": {1, 2},
        "log": collections.defaultdict(list, loss=[1.0]),
        "digest": b"\x00\xff",
        "seed": 2**64,
    }
    with saved(value) as checkpoint:
        _assert_equal(checkpoint, model.state_dict())
        assert checkpoint.ignored.keys() == value.keys() - {"state_dict"}
        assert checkpoint.ignored["epoch"] == "32"
        assert checkpoint.ignored["args"] == "argparse.Namespace"


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (torch.ones(2, dtype=torch.complex64), "complex"),
        (torch.ones(2).to(torch.float8_e4m3fn), "float8"),
        (torch.eye(2).to_sparse(), "sparse"),
        (torch.ones(2, device="meta"), "without data"),
    ],
    ids=["complex", "float8", "sparse", "meta"],
)
def test_tensors_that_are_not_read(saved, value, named):
    with pytest.raises(FormatError, match=named):
        saved({"w": value})


@pytest.mark.filterwarnings("ignore")  # torch calls quantised tensors deprecated
def test_quantised(saved):
    with pytest.raises(FormatError, match="quantised"):
        saved({"w": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)})


def test_lazily_negated(saved):
    value = torch.ones(2, dtype=torch.complex64).conj().imag
    assert value.is_neg()
    with pytest.raises(FormatError, match="negated"):
        saved({"w": value})


def test_whole_modules_are_refused(saved):
    with pytest.raises(FormatError, match=r"Linear.* nothing was run"):
        saved(torch.nn.Linear(2, 2))
