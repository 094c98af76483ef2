"""Whatever keeps something in the cache holds its kind while it is at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo import cache, cli
from zoo.convert import provenance
from zoo.deploy import embeddings
from zoo.hub import published
from zoo.manifest import registry
from zoo.spec import native
from zoo.talk import Silence
from zoo.verify import evaluation
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
