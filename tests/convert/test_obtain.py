from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoo import cache
from zoo.convert import provenance
from zoo.convert.obtain import convert_source, converted_folder
from zoo.convert.run import Options
from zoo.convert.source import find_source
from zoo.errors import ConfigError, NotFoundError, PathError, UsageError
from zoo.hub import download
from zoo.talk import Talk

Small = Any  # tests/conftest.py's
OPTIONS = Options(command=("zoo", "convert", "somebody/clip"))
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Has one repository, whose files are a folder of this disk; remembers what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def fetch(self, repo: str, **asked: Any) -> download.Fetched:
        self.asked.append((repo, {key: value for key, value in asked.items() if key != "talk"}))
        return download.Fetched(folder=self.folder, commit=COMMIT, family="open_clip", files=())


@pytest.fixture
def hub(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub(small.save(tmp_path / "snapshot"))
    monkeypatch.setattr(download, "fetch", hub.fetch)
    return hub


def test_what_is_on_this_disk_is_converted_from_there(
    hub: Hub, tmp_path: Path, silence: Talk
) -> None:
    source = find_source(str(hub.folder))
    out = convert_source(source, tmp_path / "out", OPTIONS, silence)
    assert (out, hub.asked) == (tmp_path / "out", [])
    with pytest.raises(UsageError, match="--revision"):
        convert_source(source, tmp_path / "other", OPTIONS, silence, revision="main")


def test_what_only_the_cache_has_is_found_there_and_is_no_source(hub: Hub, silence: Talk) -> None:
    made = convert_source(find_source(str(hub.folder), name="my-model"), None, OPTIONS, silence)
    assert converted_folder("my-model", silence) == made
    with pytest.raises(UsageError, match="converted already"):
        convert_source(find_source("my-model"), None, OPTIONS, silence)
    assert hub.asked == []


def test_what_is_not_is_fetched_and_its_commit_recorded(
    hub: Hub, tmp_path: Path, silence: Talk
) -> None:
    source = find_source("somebody/clip")
    out = convert_source(source, tmp_path / "out", OPTIONS, silence, revision="main")
    wanted = {"revision": "main", "manifest": None, "family": None}
    assert hub.asked == [("somebody/clip", wanted)]
    record = provenance.read(out)
    assert record.id == "somebody/clip"
    assert (record.source.repo, record.source.commit) == ("somebody/clip", COMMIT)


def test_a_model_of_the_zoo_is_held_against_its_manifest(
    hub: Hub, tmp_path: Path, silence: Talk
) -> None:
    source = find_source("CLIP-ViT-g-14-laion2B-s34B-b88K")
    with pytest.raises(ConfigError, match="contradicts the manifest"):
        convert_source(source, tmp_path / "out", OPTIONS, silence)
    ((repo, wanted),) = hub.asked
    assert (repo, wanted["manifest"]) == ("laion/CLIP-ViT-g-14-laion2B-s34B-b88K", source.manifest)


def test_an_output_that_is_there_is_found_before_anything_is_fetched(
    hub: Hub, tmp_path: Path, silence: Talk
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(PathError, match="the output exists"):
        convert_source(find_source("somebody/clip"), tmp_path / "out", OPTIONS, silence)
    assert hub.asked == []


def test_a_converted_folder_is_itself(hub: Hub, tmp_path: Path, silence: Talk) -> None:
    out = convert_source(find_source(str(hub.folder)), tmp_path / "out", OPTIONS, silence)
    assert converted_folder(str(out), silence) == out
    assert not cache.all_converted()


@pytest.mark.parametrize("text", ["tiny-digits", "somebody/clip", "{snapshot}"])
def test_another_source_is_converted_once(hub: Hub, silence: Talk, text: str) -> None:
    text = text.replace("{snapshot}", str(hub.folder))
    folder = converted_folder(text, silence)
    assert cache.all_converted() == [folder]
    assert provenance.read(folder).command == ["zoo", "convert", text]
    asked = len(hub.asked)
    assert converted_folder(text, silence) == folder
    assert len(hub.asked) == asked


def test_of_several_conversions_the_one_that_kept_its_type_is_taken(
    hub: Hub, silence: Talk
) -> None:
    source = find_source("somebody/clip")
    kept = convert_source(source, None, OPTIONS, silence)
    half = Options(command=("zoo",), dtype="float16")
    assert convert_source(source, None, half, silence) != kept
    assert converted_folder("somebody/clip", silence) == kept


def test_of_several_casts_the_widest_is_taken(hub: Hub, silence: Talk) -> None:
    source = find_source("somebody/clip")
    made = {
        dtype: convert_source(source, None, Options(command=("zoo",), dtype=dtype), silence)
        for dtype in ("bfloat16", "float32", "float16")
    }
    assert converted_folder("somebody/clip", silence) == made["float32"]


def test_what_is_not_there_is_not_found(tmp_path: Path, silence: Talk) -> None:
    with pytest.raises(NotFoundError):
        converted_folder(str(tmp_path / "nothing"), silence)
