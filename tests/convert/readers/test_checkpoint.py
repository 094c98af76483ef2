from __future__ import annotations

import numpy as np
import pytest

from zoo.convert.readers import TensorInfo, open_checkpoint
from zoo.errors import DigestError, FormatError

FLOATS = np.arange(6, dtype=np.float32)


@pytest.fixture
def checkpoint(small_files, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(small_files["safetensors"])
    with open_checkpoint(path) as checkpoint:
        yield checkpoint


def test_what_it_says_of_itself(checkpoint, tmp_path):
    assert checkpoint.format == "safetensors"
    assert checkpoint.files == (tmp_path / "model.safetensors",)
    assert checkpoint.ignored == {}
    for info, shape in zip(checkpoint.tensors.values(), [(2, 3), (6,)], strict=True):
        assert isinstance(info, TensorInfo)
        assert (info.dtype, info.shape, info.nbytes) == (FLOATS.dtype, shape, 24)
    with pytest.raises(TypeError):
        checkpoint.tensors["c"] = info


def test_tensors_are_read_only_views(checkpoint):
    tensor = checkpoint.tensor("a")
    assert tensor.tolist() == FLOATS.reshape(2, 3).tolist()
    assert not tensor.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        tensor[0] = 1


def test_tensors_outlive_the_checkpoint(checkpoint):
    tensor = checkpoint.tensor("b")
    checkpoint.close()
    assert tensor.tolist() == FLOATS.tolist()


def test_an_unknown_tensor(checkpoint):
    with pytest.raises(KeyError):
        checkpoint.tensor("c")


def test_a_change_is_noticed(checkpoint):
    checkpoint.check_unchanged()
    with checkpoint.files[0].open("ab") as file:
        file.write(b"!")
    with pytest.raises(DigestError):
        checkpoint.check_unchanged()


def _with_names(build, tmp_path, names):
    path = tmp_path / "named"
    header = {
        name: build.entry(4 * number, 4 * number + 4, [1]) for number, name in enumerate(names)
    }
    path.write_bytes(build.safetensors(header, FLOATS[: len(names)].tobytes()))
    return open_checkpoint(path)


def test_the_prefix_of_data_parallel_training_goes(build, tmp_path):
    with _with_names(build, tmp_path, ["module.visual.proj", "module.module.x"]) as checkpoint:
        assert list(checkpoint.tensors) == ["visual.proj", "module.x"]
        assert checkpoint.tensor("module.x").tolist() == [1]


def test_the_prefix_on_some(build, tmp_path):
    with pytest.raises(FormatError, match=r"'module\.b'.*'a'"):
        _with_names(build, tmp_path, ["a", "module.b", "c", "module.d"])


def test_module_elsewhere_is_part_of_a_name(build, tmp_path):
    names = ["visual.module.proj", "modules.x", "module"]
    with _with_names(build, tmp_path, names) as checkpoint:
        assert list(checkpoint.tensors) == names


def test_a_name_that_is_not_unicode(build, tmp_path):
    with pytest.raises(FormatError, match=r"'\\ud800' is not Unicode"):
        _with_names(build, tmp_path, ["\ud800"])


def test_no_tensors(build, tmp_path):
    with _with_names(build, tmp_path, []) as checkpoint:
        assert checkpoint.tensors == {}
