from __future__ import annotations

import numpy as np
import pytest

from zoo.convert.readers import torch_pickle
from zoo.convert.readers.layout import Extent
from zoo.convert.readers.pickle_data import load
from zoo.convert.readers.torch_pickle import ALLOWED, REFUSED, STORAGES, contents
from zoo.errors import FormatError


@pytest.fixture
def read(build):
    """Contents of a pickled value whose storages all lie at byte 100 and are 24 bytes long."""

    def read(value):
        root, _ = load(
            memoryview(build.pickle(value)),
            0,
            check_global=torch_pickle.check_global,
            persistent_load=torch_pickle.persistent_load,
        )
        return contents(root, lambda key: Extent(100, 24), format="torch-zip")

    return read


def test_a_bare_state_dict(build, read):
    found = read({"b": build.vector("0", 6), "a": build.vector("1", 6)})
    assert list(found.layouts) == ["b", "a"]
    assert found.ignored == {}


def test_a_training_checkpoint(build, read):
    namespace = build.Raw(
        build.named("argparse", "Namespace") + b")\x81" + build.pickled({"lr": 1e-3}) + b"b"
    )
    found = read(
        {
            "epoch": 30,
            "name": "a" * 100,
            "state_dict": {"w": build.vector("0", 6)},
            "optimizer": {"state": {0: build.vector("1", 6)}, "param_groups": [1]},
            "loss": 0.5,
            "args": namespace,
            "scaler": None,
            "best": build.vector("2", 6),
            "sizes": (1, [2]),
            "precision": build.named("torch", "bfloat16"),
            "digest": build.Raw(b"\x80\x03C\x02ab"),
        }
    )
    assert list(found.layouts) == ["w"]
    assert found.ignored == {
        "epoch": "30",
        "name": f"'{'a' * 80}'...",
        "optimizer": "dict of 2",
        "loss": "0.5",
        "args": "argparse.Namespace",
        "scaler": "None",
        "best": "tensor",
        "sizes": "tuple",
        "precision": "torch.bfloat16",
        "digest": "bytes",
    }


def test_an_ordered_dict_with_metadata_as_modules_save_it(build, read):
    state = build.Raw(
        build.called("collections", "OrderedDict")
        + b"("
        + build.pickled("w")
        + build.vector("0", 6)
        + b"u"
        + build.pickled({"_metadata": {"": {"version": 1}}})
        + b"b"
    )
    assert list(read(state).layouts) == ["w"]


@pytest.mark.parametrize("kind", STORAGES)
def test_every_storage_type(build, read, kind):
    dtype = STORAGES[kind]
    size = 24 // dtype.itemsize
    storage = build.storage("0", size, kind.removeprefix("torch."))
    layout = read({"w": build.tensor(storage, (size,), (1,))}).layouts["w"]
    assert (layout.dtype, layout.shape, layout.offset) == (dtype, (size,), 100)


def test_views_and_parameters(build, read):
    column = build.tensor(build.storage("0", 6), (3,), (2,), 1)
    parameter = build.called("torch._utils", "_rebuild_parameter", column, True, ())
    layout = read({"w": parameter}).layouts["w"]
    assert (layout.shape, layout.offset, layout.strides) == ((3,), 104, (8,))
    assert layout.dtype == np.float32


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_tensors_that_are_not_read_are_named(build, read, name):
    with pytest.raises(FormatError, match=rf"holds a .*\({name}\)"):
        read({"w": build.named(*name.rsplit(".", 1))})


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "posix.system",
        "builtins.eval",
        "builtins.getattr",
        "__builtin__.exec",
        "subprocess.Popen",
        "torch.load",
        "torch.hub.load",
        "torch.nn.modules.linear.Linear",
        "torch._utils._rebuild_device_tensor_from_numpy",
        "open_clip.model.CLIP",
        "pathlib.PosixPath",
        "collections.OrderedDict.fromkeys",
        "numpy.load",
        "Torch.FloatStorage",
        "torch.FloatStorage ",
    ],
)
def test_what_no_tensor_needs_is_refused_by_name(build, read, name):
    for extra in (
        {name: build.named(*name.rsplit(".", 1))},
        {"optimizer": (build.named(*name.rsplit(".", 1)),)},
    ):
        with pytest.raises(FormatError, match=f"'{name}' imported.* nothing was run"):
            read({"state_dict": {"w": build.vector("0", 6)}, **extra})


def test_the_allow_list_holds_nothing_that_could_run_anything():
    modules = {name.rsplit(".", 1)[0] for name in ALLOWED}
    assert modules == {
        "argparse",
        "builtins",
        "__builtin__",
        "_codecs",
        "collections",
        "numpy",
        "numpy.core.multiarray",
        "numpy._core.multiarray",
        "torch",
        "torch._utils",
    }
    assert len(ALLOWED) < 60


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "text",
        [1],
        ("state_dict", {}),
        {"state_dict": 3},
        {"state_dict": [1]},
        {1: 2},
        {("a",): 2},
        {"model": {}},
        {"w": 3},
        {"w": {"w": 3}},
    ],
)
def test_what_is_no_state_dict(read, value):
    with pytest.raises(FormatError) as caught:
        read(value)
    assert caught.value.remedy or "key" in caught.value.what


def test_an_ordered_dict_made_from_arguments(build, read):
    pairs = [("w", build.vector("0", 6))]
    with pytest.raises(FormatError, match="no dict of tensors"):
        read(build.called("collections", "OrderedDict", pairs))


@pytest.mark.parametrize("inside", [False, True])
def test_a_repeated_key(build, read, inside):
    pair = build.pickled("w") + build.vector("0", 6)
    twice = build.Raw(b"}(" + pair + pair + b"u")
    with pytest.raises(FormatError, match="the key 'w' twice"):
        read({"state_dict": twice} if inside else twice)


def test_lazily_conjugated_tensors(build, read):
    tensor = build.tensor(build.storage("0", 6), (6,), (1,), 0, {"conj": True})
    with pytest.raises(FormatError, match="conjugated"):
        read({"w": tensor})


@pytest.mark.parametrize(
    ("shape", "strides", "start"),
    [
        ((7,), (1,), 0),
        ((6,), (1,), 1),
        ((2,), (6,), 0),
        ((2,), (2**61,), 0),
        ((0x7FFFFFFF,), (1,), 0),
        ((1,), (1,), 2**62),
        ((6,), (1,), -1),
        ((2,), (-1,), 5),
        ((6,), (), 0),
        ((6,), (1.0,), 0),
        (6, 1, 0),
        ((6,), (1,), 0.0),
        ((6,), (1,), None),
        ((-1,), (1,), 0),
        ((2**62, 2**62), (0, 0), 0),
    ],
)
def test_views_that_are_not_within_their_storage(build, read, shape, strides, start):
    with pytest.raises(FormatError, match="'w'"):
        read({"w": build.tensor(build.storage("0", 6), shape, strides, start)})


@pytest.mark.parametrize("size", [-6, 5, 7, 2**40])
def test_a_storage_of_another_size(build, read, size):
    with pytest.raises(FormatError, match="24 bytes"):
        read({"w": build.tensor(build.storage("0", size), (1,), (1,))})


def test_too_few_arguments(build, read):
    for name in ("_rebuild_tensor_v2", "_rebuild_parameter"):
        with pytest.raises(FormatError, match="'w'"):
            read({"w": build.called("torch._utils", name)})


def test_strange_storages(build, read):
    kind = build.named("torch", "FloatStorage")
    for identity in (
        "storage",
        ("module", kind, "0", "cpu", 6),
        ("storage", "FloatStorage", "0", "cpu", 6),
        ("storage", build.named("torch", "float32"), "0", "cpu", 6),
        ("storage", kind, 0, "cpu", 6),
        ("storage", kind, "0", "cpu", 6.0),
        ("storage", kind, "0", "cpu", 6, ("1", 0, 24)),
        ("storage", kind, "0", "cpu", 6, None, None),
        ("storage", kind),
    ):
        storage = build.Raw(build.pickled(identity) + b"Q")
        with pytest.raises(FormatError, match="storage"):
            read({"w": build.tensor(storage, (6,), (1,))})
    view = build.storage("0", 6, "FloatStorage", None)  # how the legacy format says: no view
    assert read({"w": build.tensor(view, (6,), (1,))}).layouts
