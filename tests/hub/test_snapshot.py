from __future__ import annotations

from pathlib import Path

import pytest

from zoo.hub.snapshot import HubCache, discard

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OID = "a" * 64


@pytest.fixture
def cache(tmp_path: Path) -> HubCache:
    """A repository with one file, whose content is in the store that repositories share."""
    cache = HubCache("org/name")
    cache.folder = tmp_path / "models--org--name"
    for folder in ("blobs", "snapshots/" + COMMIT):
        (cache.folder / folder).mkdir(parents=True)
    store = tmp_path / "blobs" / "bb" / ("b" * 64)
    store.parent.mkdir(parents=True)
    store.write_bytes(b"content")
    (cache.folder / "blobs" / OID).symlink_to(f"../../blobs/bb/{store.name}")
    (cache.snapshot(COMMIT) / "file").symlink_to(f"../../blobs/{OID}")
    return cache


def test_a_file_is_listed_under_the_hubs_name_of_its_content(cache: HubCache) -> None:
    (file,) = cache.listing(COMMIT).files.values()
    assert (file.size, file.oid) == (len(b"content"), OID)
    assert cache.has(file)


def test_without_links_the_hubs_name_is_not_known(cache: HubCache) -> None:
    (cache.snapshot(COMMIT) / "copy").write_bytes(b"content")
    assert cache.listing(COMMIT).files["copy"].oid is None


def test_what_is_discarded_is_found_nowhere(cache: HubCache, tmp_path: Path) -> None:
    discard(cache.snapshot(COMMIT) / "file")
    assert [p for p in tmp_path.rglob("*") if not p.is_dir()] == []
    assert cache.listing(COMMIT).files == {}


def test_a_branch_is_remembered(cache: HubCache) -> None:
    assert cache.commit("refs/pr/1") is None
    assert cache.listing("refs/pr/1").files == {}
    cache.remember("refs/pr/1", COMMIT)
    assert cache.commit("refs/pr/1") == COMMIT
    assert list(cache.listing("refs/pr/1").files) == ["file"]
    cache.remember(COMMIT, COMMIT)
    assert cache.commit(COMMIT) == COMMIT
    assert [p.name for p in (cache.folder / "refs").iterdir()] == ["refs"]


@pytest.mark.parametrize("content", ["", "../../..", COMMIT[:-1]])
def test_a_reference_to_no_commit_is_none(cache: HubCache, content: str) -> None:
    (cache.folder / "refs").mkdir()
    (cache.folder / "refs" / "main").write_text(content)
    assert cache.commit("main") is None
