"""PaddleMIX's own conversions, from a server on loopback that a manifest names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.hub.plain_server import FILES, Handler, Server, dropped
from zoo import cache
from zoo.convert import provenance
from zoo.convert.obtain import convert_source
from zoo.convert.run import Options
from zoo.convert.source import Source
from zoo.errors import NetworkError, NotFoundError, OfflineError, UsageError
from zoo.hub.published import BESIDE, fetch_published
from zoo.manifest import Manifest
from zoo.manifest.registry import Registry
from zoo.spec import native
from zoo.talk import Silence

pytestmark = pytest.mark.usefixtures("impatience")

PROCESSOR = f"/m/{BESIDE}"


@pytest.fixture
def zoo_of_one(server: Server, tmp_path: Path, small: Any) -> Registry:
    """A registry whose one model is the small checkpoint, published at the server."""
    folder = tmp_path / "manifests"
    (folder / "architectures").mkdir(parents=True)
    config = small.config["model_cfg"]
    sections = "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in config[name].items())
        for name in ("vision_cfg", "text_cfg")
    )
    (folder / "architectures" / "small.toml").write_text(
        f"embed_dim = {config['embed_dim']}\n{sections}"
    )
    preprocess = small.config["preprocess_cfg"]
    (folder / "small.toml").write_text(
        f"""schema_version = 1
id = "small"
architecture = "small"
quick_gelu = true
license = "mit"
[source]
hub = "someone/small"
paddlemix = "http://127.0.0.1:{server.server_port}/m/model_state.pdparams"
[preprocess]
size = {config["vision_cfg"]["image_size"]}
mean = {preprocess["mean"]}
std = {preprocess["std"]}
interpolation = "bicubic"
resize = "shortest"
[params]
total = 229_305
"""
    )
    return Registry.load(folder)


@pytest.fixture
def manifest(zoo_of_one: Registry) -> Manifest:
    return zoo_of_one.find("small")


def test_what_is_there_comes_once(server: Server, manifest: Manifest) -> None:
    server.files[PROCESSOR] = b"[]"
    for _ in range(2):
        folder = fetch_published(manifest, Silence())
    assert folder == cache.home() / "published" / "small"
    assert server.asked == [*FILES, PROCESSOR]
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {name.removeprefix("/m/") for name in (*FILES, PROCESSOR)}
    assert (folder / "model_state.pdparams").read_bytes() == FILES["/m/model_state.pdparams"]


def test_without_processor_files_it_goes_on_and_without_weights_it_does_not(
    server: Server, manifest: Manifest
) -> None:
    folder = fetch_published(manifest, Silence())
    assert not (folder / "processor").exists()
    del server.files["/m/config.json"]
    (folder / "config.json").unlink()
    with pytest.raises(NotFoundError, match=r"/m/config\.json"):
        fetch_published(manifest, Silence())


def refused(handler: Handler) -> bool:
    handler.send_error(403)
    return True


@pytest.mark.parametrize(
    ("fault", "message"), [(dropped, r"ended after 512\.0 kB of 1\.0 MB"), (refused, "403")]
)
def test_what_fails_leaves_nothing_half_there(
    server: Server, manifest: Manifest, fault: Callable[[Handler], bool], message: str
) -> None:
    server.fault = fault
    with pytest.raises(NetworkError) as caught:
        fetch_published(manifest, Silence())
    assert re.search(message, caught.value.what)
    assert "begun anew" in str(caught.value.remedy)
    folder = cache.home() / "published" / "small"
    assert not (folder / "model_state.pdparams").exists()
    assert not list(folder.rglob(".*"))
    server.fault = lambda handler: False
    assert (fetch_published(manifest, Silence()) / "model_state.pdparams").is_file()


def test_a_server_that_is_not_there(server: Server, manifest: Manifest) -> None:
    source = msgspec.structs.replace(manifest.source, paddlemix="http://127.0.0.1:9/m/w.pdparams")
    with pytest.raises(NetworkError, match="refused"):
        fetch_published(msgspec.structs.replace(manifest, source=source), Silence())


def test_offline_what_is_here_serves(
    server: Server, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(OfflineError, match="ZOO_OFFLINE") as caught:
        fetch_published(manifest, Silence())
    assert "put the file at" in str(caught.value.remedy)
    monkeypatch.setenv("ZOO_OFFLINE", "0")
    fetch_published(manifest, Silence())
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    asked = len(server.asked)
    assert fetch_published(manifest, Silence()).is_dir()
    assert len(server.asked) == asked


def test_a_model_that_paddlemix_has_not(manifest: Manifest) -> None:
    source = msgspec.structs.replace(manifest.source, paddlemix=None)
    with pytest.raises(UsageError, match="no conversion of small"):
        fetch_published(msgspec.structs.replace(manifest, source=source), Silence())


def test_from_paddlemix_the_manifest_says_the_activation(
    server: Server,
    zoo_of_one: Registry,
    small: Any,
    run_zoo: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The published half precision is what zoo makes of the upstream file, cast alike."""
    upstream = small.save(tmp_path / "upstream")
    run_zoo("convert", upstream, "--out", tmp_path / "own", "--dtype", "float16")
    run_zoo("export", tmp_path / "own", "--to", "paddlemix", "--out", tmp_path / "published")
    config = json.loads((tmp_path / "published" / "config.json").read_text())
    del config["vision_cfg"]["quick_gelu"]  # PaddleMIX's own has no such word
    server.files["/m/config.json"] = json.dumps(config).encode()
    weights = (tmp_path / "published" / "model_state.pdparams").read_bytes()
    server.files["/m/model_state.pdparams"] = weights

    monkeypatch.setattr("zoo.convert.reconcile.registry", lambda: zoo_of_one)
    manifest = zoo_of_one.find("small")
    source = Source(id="small", path=None, repo=manifest.source.hub, manifest=manifest)
    options = Options(family="paddlemix", command=("zoo", "convert", "small"))
    out = convert_source(source, tmp_path / "out", options, Silence())
    spec = native.read(out / native.CONFIG_NAME)
    assert spec.vision and spec.vision.activation == "quick_gelu"
    assert spec.preprocess is not None
    for name in ("model.safetensors", native.CONFIG_NAME):
        assert (out / name).read_bytes() == (tmp_path / "own" / name).read_bytes(), name
    record = provenance.read(out)
    assert (record.source.repo, record.source.format) == (manifest.source.paddlemix, "paddlemix")

    # Against the upstream file every tensor differs by the cast and by nothing else.
    ran = run_zoo("diff", tmp_path / "published", upstream, "--json")
    assert ran.code == 3, ran.stderr
    different = json.loads(ran.stdout)["different"]
    assert different and all(tensor["only_cast"] for tensor in different)
    changed = bytearray(weights)
    changed[len(changed) // 2] ^= 1
    (tmp_path / "published" / "model_state.pdparams").write_bytes(changed)
    ran = run_zoo("diff", tmp_path / "published", upstream, "--json")
    other = [t for t in json.loads(ran.stdout)["different"] if not t["only_cast"]]
    assert len(other) == 1 and np.isfinite(other[0]["largest"])


def test_a_revision_is_for_the_hub(manifest: Manifest) -> None:
    source = Source(id="small", path=None, repo=manifest.source.hub, manifest=manifest)
    options = Options(family="paddlemix", command=())
    with pytest.raises(UsageError, match="--revision"):
        convert_source(source, None, options, Silence(), revision="abc")
