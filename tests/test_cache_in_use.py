"""Whatever keeps something in the cache holds its kind while it is at it, and whatever reads a
conversion or programs holds these."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo import cache, cli
from zoo.convert import provenance
from zoo.convert.bundled import bundled_checkpoint
from zoo.convert.export import run as exporting
from zoo.deploy import embeddings
from zoo.deploy import folder as programs
from zoo.deploy import run as deploying
from zoo.deploy.encoder import Deployed
from zoo.hub import published
from zoo.manifest import registry
from zoo.spec import native
from zoo.talk import Silence
from zoo.verify import evaluation
from zoo.verify import run as verifying
from zoo.verify.evaluation import Wish, find_material
from zoo.verify.stored import stored


class Looked(Exception):
    """Somebody has looked in the middle of the work, which ends there."""


@pytest.fixture
def look(zoo_home: Path) -> Iterator[Callable[..., Any]]:
    """Stands for the work: tries meanwhile to remove all that runs have kept."""
    tried: dict[str, int] = {}

    def work(*_: object, **__: object) -> None:
        for kind in cache.KINDS:
            (zoo_home / kind).mkdir(parents=True, exist_ok=True)
            tried[kind] = cli.main(["cache", "rm", kind, "-q"])
        raise Looked

    work.tried = tried  # type: ignore[attr-defined]
    yield work
    assert tried, "nobody has looked"


def predict(folder: Path, _tmp: Path) -> None:
    record, spec = provenance.read(folder), native.read(folder / "config.json")
    material = find_material(Wish(data="tiny-digits"), record)
    assert not isinstance(material, str)
    evaluation.predict(folder, record, spec, material, Silence())


def encode(folder: Path, _tmp: Path) -> None:
    record, spec = provenance.read(folder), native.read(folder / "config.json")
    material = find_material(Wish(data="tiny-digits"), record)
    assert not isinstance(material, str)
    evaluation.encode(folder, record, spec, material, Silence())


def embed(folder: Path, tmp: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra `datasets` is not installed")
    texts = tmp / "texts.txt"
    texts.write_text("a zero\n")
    embeddings.embed(
        folder, None, texts, tmp / "out", precision="float32", force=False, talk=Silence()
    )


def fetch(_folder: Path, _tmp: Path) -> None:
    published.fetch_published(registry().find("CLIP-ViT-B-32-laion2B-s34B-b79K"), Silence())


@pytest.mark.parametrize(
    ("kind", "module", "name", "run"),
    [
        (cache.ZERO_SHOT, evaluation, "run_child", predict),
        (cache.RETRIEVAL, evaluation, "run_child", encode),
        (cache.EMBED, embeddings, "run_child", embed),
        (cache.PUBLISHED, published, "_download", fetch),
    ],
)
def test_a_run_holds_its_own_kind(
    converted_once: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    look: Any,
    kind: str,
    module: Any,
    name: str,
    run: Callable[[Path, Path], None],
) -> None:
    monkeypatch.setattr(module, name, look)
    with pytest.raises(Looked):
        run(converted_once, tmp_path)
    assert look.tried == {other: 7 if other == kind else 0 for other in cache.KINDS}


@pytest.mark.parametrize("kind", [cache.CLASSIFIERS, cache.CAPTIONS])
def test_what_is_stored_holds_its_own_kind(look: Any, kind: str) -> None:
    with pytest.raises(Looked):
        stored(kind, {"of": 1}, look, print)
    assert look.tried == {other: 7 if other == kind else 0 for other in cache.KINDS}


def verify(folder: Path, _tmp: Path) -> None:
    verifying.verify(
        folder, source=None, upto="files", controls=False, command=["zoo"], talk=Silence()
    )


def export(folder: Path, tmp: Path) -> None:
    exporting.export(folder, tmp / "out", to="hf", force=False, command=("zoo",), talk=Silence())


def export_programs(folder: Path, tmp: Path) -> None:
    deploying.export_programs(folder, tmp / "out", force=False, command=("zoo",), talk=Silence())


@pytest.mark.parametrize(
    ("module", "name", "run"),
    [
        (verifying, "climb", verify),
        (verifying, "_keep", verify),
        (exporting, "_fill", export),
        (deploying, "write_programs", export_programs),
        (embeddings, "run_child", embed),
    ],
)
def test_a_run_holds_the_conversion_that_it_reads(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: Any,
    name: str,
    run: Callable[[Path, Path], None],
) -> None:
    folder = bundled_checkpoint(Silence())
    beside = set(folder.parent.iterdir())
    asked = ["cache", "rm", "tiny-digits", "-q"]

    def work(*_: object, **__: object) -> None:
        with cache.reading(folder, print):  # as another run does
            assert bundled_checkpoint(Silence()) == folder, "nor does it keep out who converts"
        assert cli.main(asked) == 7
        raise Looked

    monkeypatch.setattr(module, name, work)
    with pytest.raises(Looked):
        run(folder, tmp_path)
    assert "zoo: LOCK: another process is using this" in capsys.readouterr().err
    assert set(folder.parent.iterdir()) == beside, "nothing is removed, and no lock is left"
    assert cli.main(asked) == 0 and not folder.exists()


def test_whoever_runs_programs_holds_them(converted_once: Path, zoo_home: Path) -> None:
    name = "programs/tiny-digits/0123456789ab"
    folder = zoo_home / name
    folder.mkdir(parents=True)
    shutil.copyfile(converted_once / "config.json", folder / "config.json")
    spec = native.read(folder / "config.json")
    record = programs.declare(spec, paddle="3", logit_scale=None)
    (folder / "inference.json").write_bytes(programs.encode(record))
    first, second = (Deployed(folder, bfloat16=False, talk=Silence()) for _ in range(2))
    assert cli.main(["cache", "rm", name, "-q"]) == 7
    del first
    assert cli.main(["cache", "rm", name, "-q"]) == 7
    del second
    assert cli.main(["cache", "rm", name, "-q"]) == 0
    assert not folder.exists()


def test_what_is_not_the_cache_s_gets_no_lock(tmp_path: Path, zoo_home: Path) -> None:
    with cache.reading(tmp_path / "mine", print):
        assert list(tmp_path.iterdir()) == []


def test_a_cache_that_is_read_only_is_read_all_the_same(
    zoo_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bundled_checkpoint(Silence())
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    with cache.reading(folder, print):
        assert list(folder.parent.iterdir()) == [folder]
