from __future__ import annotations

import json

import numpy as np
import pytest

from zoo.convert.readers import open_checkpoint, sharded
from zoo.errors import DiskError, FormatError, NotFoundError, PathError

FLOATS = np.arange(6, dtype=np.float32)
INDEX = "model.safetensors.index.json"
TWO = {"b": "model-00002.safetensors", "a": "model-00001.safetensors"}


@pytest.fixture
def folder(build, tmp_path):
    """A checkpoint in two shards of one tensor each."""
    for tensor, name in TWO.items():
        header = {tensor: build.entry(0, 24, [2, 3])}
        (tmp_path / name).write_bytes(build.safetensors(header, FLOATS.tobytes()))
    _write(tmp_path, TWO)
    return tmp_path


def _write(folder, weight_map):
    document = {"metadata": {"total_size": 48}, "weight_map": weight_map}
    (folder / INDEX).write_text(json.dumps(document))


def test_tensors_come_from_all_shards(folder):
    with open_checkpoint(folder / INDEX) as checkpoint:
        assert checkpoint.format == "safetensors"
        assert list(checkpoint.tensors) == ["a", "b"]
        assert checkpoint.tensor("b").tolist() == FLOATS.reshape(2, 3).tolist()
        assert [path.name for path in checkpoint.files] == [INDEX, *sorted(TWO.values())]


def test_shards_that_torch_saved(build, folder):
    for tensor, name in TWO.items():
        root = {tensor: build.vector("0", 6)}
        (folder / name).write_bytes(build.torch_zip(root, {"0": FLOATS.tobytes()}))
    with open_checkpoint(folder / INDEX) as checkpoint:
        assert checkpoint.format == "torch-zip"
        assert checkpoint.tensor("a").tolist() == FLOATS.tolist()


def test_shards_of_two_formats(build, folder):
    root = {"a": build.vector("0", 6)}
    (folder / TWO["a"]).write_bytes(build.torch_zip(root, {"0": FLOATS.tobytes()}))
    with pytest.raises(FormatError, match="several formats: safetensors, torch-zip"):
        open_checkpoint(folder / INDEX)


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "..",
        ".",
        "",
        "/etc/passwd",
        "sub/inside",
        "..\\outside",
        "C:\\outside",
        "file:///etc/passwd",
        "https://host/file",
        "nul\0",
        "line\nbreak",
        "-option",
        ".hidden",
        "\ud800",
        "x" * 256,
    ],
)
def test_names_that_lead_elsewhere_are_never_opened(folder, monkeypatch, name):
    """Nothing but the index is opened, though there is something at every place it names."""
    (folder / "sub").mkdir()
    for place in (folder / "sub" / "inside", folder.parent / "outside"):
        place.write_bytes((folder / TWO["a"]).read_bytes())
    opened = []
    real = sharded.MappedFile.__init__
    monkeypatch.setattr(
        sharded.MappedFile,
        "__init__",
        lambda self, path: (opened.append(path), real(self, path))[1],
    )
    _write(folder, TWO | {"a": name})
    with pytest.raises(PathError, match="not a file in its own folder"):
        open_checkpoint(folder / INDEX)
    assert opened == [folder / INDEX]


def test_a_link_that_leads_elsewhere(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / TWO["a"]).rename(elsewhere / "a")
    (folder / TWO["a"]).symlink_to(elsewhere / "a")
    with pytest.raises(PathError):
        open_checkpoint(folder / INDEX)


def test_a_link_to_itself(folder):
    (folder / TWO["a"]).unlink()
    (folder / TWO["a"]).symlink_to(TWO["a"])
    with pytest.raises(DiskError, match="symbolic links"):
        open_checkpoint(folder / INDEX)


def test_links_as_in_hugging_faces_cache(folder, tmp_path_factory):
    repository = tmp_path_factory.mktemp("models--org--name")
    snapshot = repository / "snapshots" / "4d7"
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for number, file in enumerate(folder.iterdir()):
        file.rename(repository / "blobs" / str(number))
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    with open_checkpoint(snapshot / INDEX) as checkpoint:
        assert checkpoint.tensor("a").shape == (2, 3)


def test_the_caches_blobs_may_be_links_on(folder, tmp_path_factory):
    """As where repositories share what they have in common."""
    home = tmp_path_factory.mktemp("hub")
    store, blobs, snapshot = home / "store", home / "blobs", home / "snapshots" / "commit"
    for made in (store, blobs, snapshot):
        made.mkdir(parents=True)
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(store / str(number))
        (blobs / str(number)).symlink_to(f"../store/{number}")
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    with open_checkpoint(snapshot / INDEX) as checkpoint:
        assert list(checkpoint.tensors) == ["a", "b"]
    (snapshot / TWO["a"]).unlink()
    (snapshot / TWO["a"]).symlink_to("../../store/0")
    with pytest.raises(PathError):
        open_checkpoint(snapshot / INDEX)


def test_a_missing_shard(folder):
    (folder / TWO["b"]).unlink()
    with pytest.raises(NotFoundError, match=TWO["b"]):
        open_checkpoint(folder / INDEX)


def test_a_shard_lacks_a_tensor(folder):
    _write(folder, TWO | {"c": TWO["a"]})
    with pytest.raises(FormatError, match=f"'c' is here, and it is not.*{TWO['a']}"):
        open_checkpoint(folder / INDEX)


def test_a_shard_has_a_tensor_too_many(build, folder):
    header = {"a": build.entry(0, 12, [3]), "c": build.entry(12, 24, [3])}
    (folder / TWO["a"]).write_bytes(build.safetensors(header, FLOATS.tobytes()))
    with pytest.raises(FormatError, match="does not say that tensor 'c' is here"):
        open_checkpoint(folder / INDEX)


def test_a_tensor_in_two_shards(build, folder):
    header = {"a": build.entry(0, 12, [3]), "b": build.entry(12, 24, [3])}
    (folder / TWO["a"]).write_bytes(build.safetensors(header, FLOATS.tobytes()))
    with pytest.raises(FormatError, match="'b'"):
        open_checkpoint(folder / INDEX)


def test_an_index_of_an_index(folder):
    _write(folder, {"a": INDEX})
    with pytest.raises(FormatError, match="a shard holds tensors"):
        open_checkpoint(folder / INDEX)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"weight_map": {"a": "x", "a": "y"}}', "'a' appears twice"),
        ('{"weight_map": {}, "weight_map": {}}', "'weight_map' appears twice"),
        ('{"model_cfg": {}, "embed_dim": 512}', "no weight_map"),
        ('{"weight_map": []}', "maps no tensors"),
        ('{"weight_map": {"a": 1}}', "'a' is mapped to what is no file name"),
        ('{"weight_map": {}}', "maps no tensors"),
        ('{"weight_map": ', "not JSON"),
        ('{"weight_map": ' + "[" * 20_000, "nested"),
    ],
)
def test_what_is_no_index(folder, text, message):
    (folder / INDEX).write_text(text)
    with pytest.raises(FormatError, match=message):
        open_checkpoint(folder / INDEX)


def test_an_index_too_large(folder, monkeypatch):
    monkeypatch.setattr(sharded, "MAX_INDEX", 10)
    with pytest.raises(FormatError, match="too large for an index"):
        open_checkpoint(folder / INDEX)
