"""From the outside: what opens, what does not, and that nothing else ever happens."""

from __future__ import annotations

import gc
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.convert.readers import open_checkpoint
from zoo.errors import FormatError, NotFoundError, PathError, ZooError

FORMATS = ["safetensors", "torch-zip", "torch-legacy"]
OPEN_FILES = Path("/proc/self/fd")
FLOATS = np.arange(6, dtype=np.float32)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["x.safetensors", "x.bin", "x.pt", "x.index.json", "x.html", "x"])
def test_content_decides_not_the_name(small_files, tmp_path, format, name):
    (tmp_path / name).write_bytes(small_files[format])
    with open_checkpoint(tmp_path / name) as checkpoint:
        assert checkpoint.format == format
        assert {name: info.shape for name, info in checkpoint.tensors.items()} == {
            "a": (2, 3),
            "b": (6,),
        }
        assert checkpoint.tensor("a").tolist() == FLOATS.reshape(2, 3).tolist()


def test_errors_say_where(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"<!doctype html>")
    with pytest.raises(FormatError, match=re.escape(str(path))):
        open_checkpoint(path)
    with pytest.raises(PathError, match=re.escape(str(tmp_path))):
        open_checkpoint(tmp_path)
    with pytest.raises(NotFoundError, match="absent"):
        open_checkpoint(tmp_path / "absent")


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_stays_open(small_files, tmp_path, format):
    gc.collect()  # else what an earlier test has left may be closed in between
    before = set(OPEN_FILES.iterdir())
    path = tmp_path / "file"
    for content in (small_files[format], small_files[format][:-1]):
        path.write_bytes(content)
        try:
            with open_checkpoint(path) as checkpoint:
                checkpoint.tensor("a")
        except ZooError:
            pass
    assert set(OPEN_FILES.iterdir()) == before


def _programs(canary):
    """Pickles that make a folder when Python's unpickler reads them."""

    class Reduce:
        def __reduce__(self):
            return os.mkdir, (canary,)

    class Evaluate:
        def __reduce__(self):
            return eval, (f"__import__('os').mkdir({canary!r})",)

    yield from (pickle.dumps(Reduce(), protocol) for protocol in range(6))
    yield from (pickle.dumps(Evaluate(), protocol) for protocol in range(6))
    text = repr(canary).encode()
    yield b"\x80\x02(S" + text + b"\nios\nmkdir\n."  # INST
    yield b"\x80\x02(cos\nmkdir\nS" + text + b"\no."  # OBJ
    yield b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93S" + text + b"\n\x85R."


def test_programs_are_refused_and_never_run(build, tmp_path):
    canary = tmp_path / "canary"
    path = tmp_path / "open_clip_pytorch_model.bin"
    vector = build.vector("0", 6)
    for program in _programs(str(canary)):
        pickle.loads(program)
        canary.rmdir()  # fails where Python's unpickler did not run the program
        inside = build.Raw(program[:-1])
        if program[:1] == b"\x80":
            inside = build.Raw(program[2:-1])
        state = {"w": vector, "x": inside}
        training = {"state_dict": {"w": vector}, "optimizer": inside}
        for content in (
            program,
            build.torch_zip(state, {"0": FLOATS.tobytes()}),
            build.torch_zip(training, {"0": FLOATS.tobytes()}),
            build.torch_legacy(training, {"0": FLOATS.tobytes()}),
            build.archive({"archive/data.pkl": program}),
        ):
            path.write_bytes(content)
            with pytest.raises(FormatError):
                open_checkpoint(path)
            assert not canary.exists()


@st.composite
def damages(draw, size: int):
    """A change to a file of ``size`` bytes: bytes overwritten, cut out, repeated or inserted."""
    edits = []
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, size))
        until = at if draw(st.booleans()) else min(size, at + draw(st.integers(0, 64)))
        put = draw(
            st.binary(max_size=8)
            | st.sampled_from([b"\xff" * 4, b"\xff" * 8, b"\0" * 8, b"(" * 50, b"R", b"q\0h\0"])
        )
        edits.append((at, until, put))
    return edits


@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data())
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_file_opens_or_is_refused(small_files, tmp_path, format, data):
    """Any outcome but a ZooError or arrays of the shapes promised fails."""
    content = small_files[format]
    for at, until, put in data.draw(damages(len(content))):
        overwritten = len(put) if until == at else until - at
        content = content[:at] + put + content[at + overwritten :]
    path = tmp_path / "damaged"
    path.write_bytes(content)
    try:
        with open_checkpoint(path) as checkpoint:
            for name, info in checkpoint.tensors.items():
                tensor = checkpoint.tensor(name)
                assert (tensor.dtype, tensor.shape) == (info.dtype, info.shape)
                tensor.tobytes()
    except ZooError as error:
        assert str(path) in str(error)
