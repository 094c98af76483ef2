"""COCO: found, downloaded from a server on loopback, unpacked safely, or refused."""

from __future__ import annotations

import errno
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.hub.plain_server import Handler, Server, running
from train.data import coco
from train.data.find import find_data
from train.flags import Arguments
from zoo.errors import (
    DatasetError,
    DigestError,
    DiskError,
    FormatError,
    NetworkError,
    NotFoundError,
    OfflineError,
    PathError,
    ZooError,
)

PATH = "/datasets/coco.tar"
ENTRY = {"caption": "A woman cutting a cake. ", "image": "val2014/1.jpg", "image_id": "coco_1"}
TRAINING = "annotations/coco_karpathy_train.json"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.hub.resumable.WAITS", (0.01,))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where COCO belongs; nothing is there."""
    monkeypatch.setenv("PPMIX_HOME", str(tmp_path / "mix"))
    return tmp_path / "mix" / "datasets" / "coco"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with running() as server:
        monkeypatch.setattr(coco, "ADDRESS", f"http://127.0.0.1:{server.server_port}{PATH}")
        server.name = '"one"'
        server.files = {PATH: tar()}
        yield server


def tar(*extra: tarfile.TarInfo, prefix: str = "coco/", padding: int = 0) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in (
            (TRAINING, json.dumps([ENTRY]).encode()),
            ("images/val2014/1.jpg", bytes(padding + 3)),
        ):
            member = tarfile.TarInfo(prefix + name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in extra:
            archive.addfile(member)
    return file.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_coco_is_found_where_paddlemix_keeps_it(
    arguments: Callable[..., Arguments], folder: Path
) -> None:
    (folder / "annotations").mkdir(parents=True)
    (folder / TRAINING).write_text(json.dumps([ENTRY]))
    pairs = find_data(arguments("--task_name", "coco_clip"))
    assert pairs.captions == [ENTRY["caption"]]
    assert pairs.paths == [str(folder / "images" / ENTRY["image"])]


@pytest.mark.parametrize("prefix", ["coco/", "", "./coco/"])
def test_it_is_downloaded_once_and_unpacked(
    arguments: Callable[..., Arguments], folder: Path, server: Server, prefix: str
) -> None:
    server.files[PATH] = tar(prefix=prefix)
    for _ in range(2):
        pairs = find_data(arguments())
    assert Path(pairs.paths[0]).read_bytes() == bytes(3)
    assert server.asked == [PATH]
    # What is recorded stays, and the tar does not.
    assert {path.name for path in folder.parent.iterdir()} == {"coco", "coco.tar.json"}


def test_a_broken_download_goes_on_where_it_broke(
    arguments: Callable[..., Arguments], folder: Path, server: Server
) -> None:
    data = server.files[PATH] = tar(padding=1_000_000)
    ranges: list[str | None] = []

    def dropped(handler: Handler) -> bool:
        ranges.append(handler.headers["Range"])
        if len(ranges) > 1:
            return False
        handler.reply(200, data[:500_000], length=len(data))
        return True

    server.fault = dropped
    assert len(find_data(arguments())) == 1
    assert ranges == [None, "bytes=500000-"]


@pytest.mark.parametrize("downloaded", [False, True])
def test_without_space_the_variable_is_named_that_chooses_another_place(
    arguments: Callable[..., Arguments],
    folder: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    downloaded: bool,
) -> None:
    server.files[PATH] = tar()
    folder.parent.mkdir(parents=True)
    if downloaded:
        (folder.parent / "coco.tar").write_bytes(tar())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(DiskError, match="10 B are free") as caught:
        find_data(arguments())
    assert "PPMIX_HOME" in str(caught.value.remedy)


def test_a_disk_that_fills_up_is_no_matter_of_an_option(
    arguments: Callable[..., Arguments], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.parent.mkdir(parents=True)
    (folder.parent / "coco.tar").write_bytes(tar())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(coco, "_extract", full)
    with pytest.raises(DiskError, match="the disk is full") as caught:
        find_data(arguments())
    assert "--out" not in str(caught.value)
    assert not folder.exists()


def test_a_tar_that_lies_there_is_taken_and_stays(
    arguments: Callable[..., Arguments], folder: Path, server: Server
) -> None:
    folder.parent.mkdir(parents=True)
    (folder.parent / "coco.tar").write_bytes(tar())
    assert len(find_data(arguments())) == 1
    assert server.asked == [] and (folder.parent / "coco.tar").is_file()


def test_another_tar_than_the_first_is_refused(
    arguments: Callable[..., Arguments], folder: Path, server: Server
) -> None:
    find_data(arguments())
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    server.files[PATH] = tar(padding=7)
    with pytest.raises(DigestError, match="was recorded"):
        find_data(arguments())
    assert not (folder / TRAINING).exists()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (special("coco/link", tarfile.SYMTYPE, "/etc/passwd"), "no plain file: 'coco/link'"),
        (special("coco/hard", tarfile.LNKTYPE, "coco/x"), "no plain file: 'coco/hard'"),
        (special("coco/device", tarfile.CHRTYPE), "no plain file: 'coco/device'"),
        (special("coco/pipe", tarfile.FIFOTYPE), "no plain file: 'coco/pipe'"),
        (special("../../canary", tarfile.REGTYPE), "a member leads out of the tar"),
    ],
)
def test_a_hostile_tar_leaves_nothing(
    arguments: Callable[..., Arguments],
    folder: Path,
    server: Server,
    extra: tarfile.TarInfo,
    message: str,
) -> None:
    server.files[PATH] = tar(extra)
    with pytest.raises(PathError, match=message):
        find_data(arguments())
    assert not folder.exists() and not (folder.parent.parent / "canary").exists()


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (tar(padding=9000)[:4000], FormatError, "can't be read: unexpected end"),
        (tar()[: 2 * 512 + 200], FormatError, "damaged or cut off"),
        (b"<html>", FormatError, "can't be read"),
        (tar(prefix="other/"), DatasetError, "holds no annotations/coco_karpathy_train.json"),
    ],
)
def test_what_is_no_coco_leaves_nothing(
    arguments: Callable[..., Arguments],
    folder: Path,
    server: Server,
    data: bytes,
    kind: type[ZooError],
    message: str,
) -> None:
    server.files[PATH] = data
    with pytest.raises(kind, match=message):
        find_data(arguments())
    assert not folder.exists()


def test_without_a_network_it_is_said_where_coco_belongs(
    arguments: Callable[..., Arguments],
    folder: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_hand = rf"[\s\S]*{coco.ADDRESS} \(20 GB\) so that {folder} holds annotations/ and images/"
    server.fault = lambda handler: handler.send_error(403) or True
    with pytest.raises(NetworkError, match=f"403{by_hand}"):
        find_data(arguments())
    server.fault, server.files = lambda handler: False, {}
    with pytest.raises(NotFoundError, match=f"not at its address{by_hand}"):
        find_data(arguments())
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(OfflineError, match=f"coco_karpathy_train.json{by_hand}"):
        find_data(arguments())
    folder.mkdir()
    (folder / "mine").touch()
    with pytest.raises(NotFoundError, match=f"without Karpathy's annotations{by_hand}"):
        find_data(arguments())
