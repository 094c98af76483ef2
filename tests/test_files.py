from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import shutil
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.folders import names
from zoo import files
from zoo.errors import DiskError, PathError, ZooError


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def fill(target: Path, text: str, *, replace: bool = False) -> None:
    with files.new_folder(target, replace=replace, mark="file") as folder:
        (folder / "file").write_text(text)


def test_one_document_has_one_text() -> None:
    a, b = {"b": [1.5, "é"], "a": None}, {"a": None, "b": [1.5, "é"]}
    assert files.canonical_json(a) == files.canonical_json(b) == '{"a":null,"b":[1.5,"é"]}'.encode()
    assert files.pretty_json(a) == files.pretty_json(b)
    assert files.pretty_json(a).endswith(b"\n")
    assert json.loads(files.pretty_json(a)) == a


@pytest.mark.parametrize("text_of", [files.canonical_json, files.pretty_json])
def test_what_is_not_json_is_not_written(text_of: object) -> None:
    assert callable(text_of)
    with pytest.raises(ValueError, match="not JSON compliant"):
        text_of({"a": float("nan")})


def test_a_digest_covers_every_byte_and_tells_how_far_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    data = os.urandom(64) * (files.CHUNK // 64) + b"end"
    path.write_bytes(data)
    steps: list[int] = []
    assert files.sha256_file(path, steps.append) == hashlib.sha256(data).hexdigest()
    assert sum(steps) == len(data)
    assert len(steps) == 2


def test_a_document_s_own_digest_is_not_part_of_it() -> None:
    document = {"a": 1, "digest": "old"}
    assert files.self_digest(document) == hashlib.sha256(b'{"a":1}').hexdigest()


def test_too_little_space_is_found_before_the_first_byte(tmp_path: Path) -> None:
    files.check_space(tmp_path, 1, elsewhere="X")
    with pytest.raises(DiskError, match="are needed") as caught:
        files.check_space(tmp_path, 1 << 62, elsewhere="X")
    assert caught.value.remedy == "Free some space, or choose another place with X."


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with files.new_folder(target, replace=False) as folder:
        (folder / "file").write_text("new")
        assert not target.exists()
    assert content(target) == {"file": "new"}
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_folder_and_nothing_else(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    target = tmp_path / "out"
    fill(target, "old")
    with pytest.raises(failure), files.new_folder(target, replace=True, mark="file") as folder:
        (folder / "file").write_text("new")
        raise failure
    assert content(target) == {"file": "old"}
    assert names(tmp_path) == ["out"]


def test_everything_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as a test can tell: every file and folder is forced there while the old one stands."""
    target, fsync = tmp_path / "out", os.fsync
    target.mkdir()
    (target / "file").write_text("old")
    synced: set[str] = set()

    def watched(handle: int) -> None:
        assert content(target) == {"file": "old"}
        synced.add(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    with files.new_folder(target, replace=True, mark="file") as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "new").write_text("new")
    assert synced == {folder.name, "inner", "new"}


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, DiskError), (errno.EIO, DiskError), (errno.EINVAL, None)]
)
def test_a_disk_that_fails_only_then_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[ZooError] | None,
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(error) if error else nullcontext():
        fill(tmp_path / "out", "new")
    assert names(tmp_path) == ([] if error else ["out"])


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with (
        pytest.raises(DiskError, match="full") as caught,
        files.new_folder(tmp_path / "out", replace=False),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.where == str(tmp_path / "out")
    assert not names(tmp_path)


def test_a_leftover_of_a_dead_process_goes(tmp_path: Path) -> None:
    leftover = tmp_path / f".out{files.PARTIAL}"
    (leftover / "folder").mkdir(parents=True)
    (leftover / "half").write_text("half")
    fill(tmp_path / "out", "new")
    assert content(tmp_path / "out") == {"file": "new"}
    assert names(tmp_path) == ["out"]


def test_an_empty_folder_is_no_obstacle(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    fill(target, "new")
    assert content(target) == {"file": "new"}
    assert names(tmp_path) == ["out"]


def test_what_is_there_is_refused_unless_it_may_be_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out"
    fill(target, "old")
    with pytest.raises(PathError, match="the output exists") as caught:
        fill(target, "new")
    assert "--force" in str(caught.value.remedy)
    assert content(target) == {"file": "old"}
    fill(target, "new", replace=True)
    assert content(target) == {"file": "new"}


@pytest.mark.parametrize("replace", [False, True])
def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path, replace: bool) -> None:
    (tmp_path / "out").mkdir()
    for name in ("d", "b\x1b[2J", "c", "a été"):
        (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(PathError, match="not zoo's: it has no file, and holds") as caught:
        fill(tmp_path / "out", "new", replace=replace)
    assert caught.value.what.endswith(r"holds 'a été', 'b\x1b[2J', 'c', ...")
    assert "--force or not" in str(caught.value.remedy)
    assert len(names(tmp_path / "out")) == 4


def test_no_link_is_followed_and_no_file_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "file").write_text("old")
    for name, said in (("link", "link"), ("dangling", "link"), ("file", "no folder")):
        with pytest.raises(PathError, match=said):
            fill(tmp_path / name, "new", replace=True)
    assert (tmp_path / "file").read_text() == "old"
    assert not names(tmp_path / "real")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("name", [".", "..", "a/..", "/"])
def test_a_folder_without_a_name_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(PathError, match="a name of its own"):
        files.check_target(Path(name), replace=True)


@pytest.mark.parametrize("library", [object(), type("Old", (), {"renameat2": lambda *_: -1})()])
def test_without_an_exchange_the_old_folder_steps_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: object
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: library)
    target = tmp_path / "out"
    (tmp_path / ".out.old" / "of a run that died at the worst moment").mkdir(parents=True)
    fill(target, "old")
    fill(target, "new", replace=True)
    assert content(target) == {"file": "new"}
    assert names(tmp_path) == ["out"]


def test_a_replaced_folder_is_whole_at_every_moment(tmp_path: Path) -> None:
    target = tmp_path / "out"
    fill(target, "0")
    done = threading.Event()
    seen: set[str] = set()

    def look() -> None:
        while not done.is_set():
            try:
                seen.add((target / "file").read_text())
            except OSError:
                # Opened in the old folder just before it was removed: the path was there.
                seen.add("gone" if not target.exists() else "")

    watcher = threading.Thread(target=look)
    watcher.start()
    for number in range(50):
        fill(target, str(number), replace=True)
    done.set()
    watcher.join()
    assert "gone" not in seen
    assert len(seen) > 1


def test_a_small_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.write_atomic(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="full"):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_leftover_of_a_small_file_is_known_and_goes(tmp_path: Path) -> None:
    for leftover in files.leftovers("file"):
        (tmp_path / leftover).write_text("half")
    files.write_atomic(tmp_path / "file", b"new")
    assert content(tmp_path) == {"file": "new"}


def test_several_write_one_small_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    texts = [bytes([letter]) * 100_000 for letter in b"abcd"]
    workers = [
        threading.Thread(target=lambda t=text: [files.write_atomic(path, t) for _ in range(20)])
        for text in texts
    ]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        assert not path.exists() or path.read_bytes() in texts
    assert names(tmp_path) == ["file"]


def test_a_signal_while_cleaning_up_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = shutil.rmtree
    signals = [KeyboardInterrupt]

    def interrupted(path: Path, *, ignore_errors: bool) -> None:
        if path.exists() and signals:
            raise signals.pop()
        remove(path, ignore_errors=ignore_errors)

    fill(tmp_path / "out", "old")
    with (
        pytest.raises(KeyboardInterrupt),
        files.new_folder(tmp_path / "out", replace=True, mark="file") as folder,
    ):
        (folder / "file").write_text("new")
        monkeypatch.setattr(shutil, "rmtree", interrupted)
    assert content(tmp_path / "out") == {"file": "new"}
    assert names(tmp_path) == ["out"]


def test_what_is_missing_is_told_with_what_nearly_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "CLIP-ViT-B-32").mkdir()
    near = files.missing(tmp_path / "CLIP-ViT-B-33")
    assert near.where == str(tmp_path / "CLIP-ViT-B-33")
    assert near.remedy == f"Did you mean: {tmp_path / 'CLIP-ViT-B-32'}"
    for far in (tmp_path / "photographs", tmp_path / "no" / "such" / "folder"):
        assert files.missing(far).remedy == f"It was looked for at {far}."
    monkeypatch.chdir(tmp_path)
    for text in ("./CLIP-ViT-B-33", "CLIP-ViT-B-33"):  # as SOURCE wants it
        assert files.missing(Path(text)).remedy == "Did you mean: ./CLIP-ViT-B-32"
