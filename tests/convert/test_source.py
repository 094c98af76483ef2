from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.convert.source import check_id, find_source, own_name, paths_told
from zoo.errors import NameInvalidError, NetworkError, NotFoundError, UsageError, ZooError
from zoo.manifest import registry

G14 = "CLIP-ViT-g-14-laion2B-s34B-b88K"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file in a folder that is named as a model of the zoo."""
    (tmp_path / G14).mkdir()
    (tmp_path / G14 / "epoch_1.pt").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "text", [f"./{G14}", f"local-dir:{G14}", f"local-dir:./{G14}", f"~/{G14}", f"local-dir:~/{G14}"]
)
def test_a_path_is_said_to_be_one(here: Path, text: str) -> None:
    source = find_source(text)
    assert source.path is not None
    assert source.path.resolve() == here / G14
    assert (source.id, source.repo, source.manifest) == (G14, None, None)


def test_an_absolute_path_to_a_file_is_called_as_the_file(here: Path) -> None:
    source = find_source(str(here / G14 / "epoch_1.pt"))
    assert (source.id, source.path) == ("epoch_1", here / G14 / "epoch_1.pt")


@pytest.mark.parametrize("text", [G14, f"laion/{G14}", "laion/CLIP-ViT-g-14", "CLIP-ViT-g"])
def test_a_folder_of_the_same_name_is_not_taken_for_the_model(here: Path, text: str) -> None:
    source = find_source(text)
    assert (source.id, source.path, source.repo) == (G14, None, f"laion/{G14}")
    assert source.manifest is registry().names[G14]


def test_a_hub_id_is_itself_unless_it_is_a_model_s() -> None:
    source = find_source("somebody/some-clip")
    assert (source.id, source.repo) == ("somebody/some-clip",) * 2
    assert source.manifest is None
    source = find_source(f"hf-hub:laion/{G14}")
    assert (source.id, source.repo) == (G14, f"laion/{G14}")


def test_with_the_scheme_no_prefix_is_guessed() -> None:
    source = find_source("hf-hub:laion/CLIP-ViT-g-14")
    assert (source.id, source.repo) == ("laion/CLIP-ViT-g-14",) * 2
    assert source.manifest is None


def test_exact_beats_prefix() -> None:
    assert find_source("apple/DFN5B-CLIP-ViT-H-14").id == "DFN5B-CLIP-ViT-H-14"


@pytest.mark.parametrize("own", ["my-model", "CLIP-ViT-B-32", "CLIP-ViT-g", "laion/CLIP-ViT-g"])
def test_what_was_converted_here_has_a_name(own: str, zoo_home: Path) -> None:
    """An exact name beats a prefix of one of the zoo's, of one model or of several."""
    folder = zoo_home / "models" / own / "0123456789ab-float32"
    folder.mkdir(parents=True)
    (folder / "provenance.json").touch()
    source = find_source(own)
    assert (source.id, source.path, source.manifest) == (own, None, None)
    assert source.repo == (own if "/" in own else None)
    with pytest.raises(NotFoundError, match="no model"):
        find_source("my-mode")  # a prefix of it is none
    assert find_source("CLIP-ViT-g-14").id == G14


def test_a_name_of_the_zoo_s_is_its_own_whatever_the_cache_has(zoo_home: Path) -> None:
    folder = zoo_home / "models" / f"laion/{G14}" / "0123456789ab-float32"
    folder.mkdir(parents=True)
    (folder / "provenance.json").touch()
    assert find_source(f"laion/{G14}").manifest is registry().names[G14]


def test_the_bundled_checkpoint_has_a_name(tiny: Path) -> None:
    source = find_source("tiny-digits")
    assert (source.id, source.path, source.is_bundled) == ("tiny-digits", tiny, True)
    assert not find_source(f"hf-hub:laion/{G14}").is_bundled


def test_a_name_that_is_given_counts(here: Path) -> None:
    source = find_source(f"./{G14}", name="my/model")
    assert (source.id, source.manifest) == ("my/model", None)
    assert find_source("tiny-digits", name="mine").id == "mine"


@pytest.mark.parametrize("name", [G14, f"laion/{G14}"])
def test_a_local_folder_can_be_said_to_be_a_model_of_the_zoo(here: Path, name: str) -> None:
    source = find_source(f"./{G14}", name=name)
    assert (source.id, source.manifest) == (G14, registry().names[G14])
    assert source.path is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("./nothing", "no such file"),
        ("~nobody-at-all/x", "no such home folder"),
        ("CLIP-VIT-g-14-laion2B-s34B-b88K", f"Did you mean: .*{G14}"),
        ("nothing-like-it", "zoo list"),
    ],
)
def test_what_is_not_there_is_not_found(here: Path, text: str, said: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        find_source(text)
    assert re.search(said, str(caught.value))


def test_several_that_fit_are_named() -> None:
    with pytest.raises(UsageError, match=r"CLIP-ViT-L-14-DataComp.*CLIP-ViT-L-14-laion2B"):
        find_source("laion/CLIP-ViT-L-14")


INVALID = [
    "",
    "a/",
    "/",
    "a/b/c",
    "a--b/c",
    "a/..",
    "a..b",
    "-leading",
    "org/-leading",
    "org/.hidden",
    "_x",
    "näme",
    "a b",
    "a\nb",
    "a\x00b",
    "a\x1b[31m",
    "x" * 97,
    "x" * 200,
    "hf-hub:../../etc",
    "http://host/a",
    "a\\b",
]


@pytest.mark.parametrize("text", INVALID, ids=ascii)
def test_a_name_that_can_be_none_is_refused_before_anything_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    registry()

    def touched(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the disk was touched")

    for call in ("exists", "stat", "open", "is_dir", "resolve"):
        monkeypatch.setattr(Path, call, touched)
    if not text.startswith("/"):
        with pytest.raises(NameInvalidError):
            find_source(text)
    with pytest.raises(NameInvalidError):
        find_source("tiny-digits", name=text)


@pytest.mark.parametrize("name", ["../../etc", "./x", "/etc/passwd", "~/x"])
def test_a_path_is_no_name(name: str) -> None:
    with pytest.raises(NameInvalidError):
        find_source("tiny-digits", name=name)


@pytest.mark.parametrize("text", ["mine", "CLIP-ViT-B-32"])
def test_a_folder_that_was_named_without_its_dot_is_told(here: Path, text: str) -> None:
    with pytest.raises(ZooError) as caught:
        find_source(text)
    assert f"./{text}" not in str(caught.value)
    (here / text).mkdir(parents=True)
    with pytest.raises(ZooError) as caught:
        find_source(text)
    assert f"What lies here under this name is ./{text}\n" in str(caught.value)


def test_a_repository_that_does_not_answer_may_have_been_a_folder(here: Path) -> None:
    (here / "runs" / "mine").mkdir(parents=True)
    for text, told in (("runs/mine", True), ("./runs/mine", False), ("runs/yours", False)):
        with pytest.raises(NetworkError) as caught, paths_told(text):
            raise NetworkError("no answer", remedy="Try again.")
        assert ("./runs/mine" in str(caught.value.remedy)) == told
        assert str(caught.value.remedy).endswith("Try again.")


@given(
    st.text(st.characters(blacklist_characters="/\x00", blacklist_categories=["Cs"]), min_size=1)
)
def test_a_name_made_of_a_file_s_is_always_valid(text: str) -> None:
    if text not in (".", ".."):
        check_id(own_name(Path("/folder") / text))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("open_clip_model.safetensors", "open_clip_model"),
        ("a..-b.bin", "a-b"),
        ("été 2024.bin", "t-2024"),
        ("---.bin", "model"),
    ],
)
def test_a_file_s_name_keeps_what_a_name_can_have(file: str, name: str) -> None:
    assert own_name(Path("/folder") / file) == name
