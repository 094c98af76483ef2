from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zoo import cli
from zoo.cache import KINDS, in_use
from zoo.convert import provenance

B32 = "CLIP-ViT-B-32-laion2B-s34B-b79K"
FLOAT32, FLOAT16 = "0123456789ab-float32", "0123456789ab-float16"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(cli.COMMANDS, "cache", "the cache")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "home" / "models"


def converted(folder: Path, *, dtype: str, repo: str | None = None) -> int:
    """Something like a converted checkpoint; its size in bytes."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(5000))
    tensor = provenance.TensorRecord(
        sources=["x"],
        action="copy",
        dtype=dtype,
        shape=[1],
        sha256="0" * 64,
        nonfinite=0,
        overflowed=0,
        vanished=0,
    )
    source = provenance.SourceRecord(
        repo=repo, commit=repo and COMMIT, format="open_clip", files=[], left_out=[]
    )
    record = provenance.seal(
        id="id",
        tool="zoo",
        command=["zoo"],
        trust=None,
        mapping_digest="0" * 64,
        source=source,
        dtype="keep",
        files=[],
        tensors={"x": tensor},
    )
    data = provenance.encode(record)
    (folder / provenance.PROVENANCE_NAME).write_bytes(data)
    return 5000 + len(data)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """As another process holds the lock of a folder that it writes."""
    with (folder.parent / f".{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_what_is_listed(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [
        converted(models / B32 / FLOAT16, dtype="float16", repo=f"laion/{B32}"),
        converted(models / "my" / "model" / FLOAT32, dtype="float32"),
    ]
    (models / "my" / "model" / ".ab-float32.partial").mkdir()
    (models / "my" / "model" / ".ab-float32.partial" / "half").write_bytes(bytes(70))
    assert cli.main(["cache", "ls", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert listing["home"] == str(models.parent)
    assert listing["bytes"] == sum(sizes) + 70
    assert listing["models"] == [
        {
            "id": B32,
            "path": str(models / B32 / FLOAT16),
            "bytes": sizes[0],
            "dtype": "float16",
            "repo": f"laion/{B32}",
            "commit": COMMIT,
            "problem": None,
        },
        {
            "id": "my/model",
            "path": str(models / "my" / "model" / FLOAT32),
            "bytes": sizes[1],
            "dtype": "float32",
            "repo": None,
            "commit": None,
            "problem": None,
        },
    ]
    assert listing["leftovers"] == [
        {"path": str(models / "my" / "model" / ".ab-float32.partial"), "bytes": 70}
    ]

    assert cli.main(["cache", "ls"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines()[:-1])) <= 80
    assert f"@{COMMIT[:12]}" in text
    assert "local files" in text
    assert "left behind by an interrupted run: my/model/.ab-float32.partial, 70 B" in text


def test_an_empty_cache(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cache", "ls"]) == 0
    assert capsys.readouterr().out == f"0 B in {models.parent}\n"


def test_a_damaged_provenance_is_listed_as_one(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    converted(models / B32 / FLOAT32, dtype="float32")
    (models / B32 / FLOAT32 / "provenance.json").write_text("{")
    assert cli.main(["cache", "ls", "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert "damaged" in model["problem"]
    assert cli.main(["cache", "rm", B32]) == 0
    assert not (models / B32 / FLOAT32).exists()


@pytest.mark.parametrize(
    ("target", "left"),
    [
        (B32, []),
        (f"laion/{B32}", []),
        ("laion/CLIP-ViT-B-32-laion2B", []),
        (f"{B32}/{FLOAT32}", [FLOAT16]),
        ("PATH", [FLOAT16]),
    ],
)
def test_models_and_folders_are_removed(
    models: Path, capsys: pytest.CaptureFixture[str], target: str, left: list[str]
) -> None:
    for dtype in ("float32", "float16"):
        nbytes = converted(models / B32 / f"0123456789ab-{dtype}", dtype=dtype)
    other = models / "my" / "model" / FLOAT32
    converted(other, dtype="float32")
    target = str(models / B32 / FLOAT32) if target == "PATH" else target
    assert cli.main(["cache", "rm", target]) == 0
    assert sorted(p.name for p in (models / B32).iterdir() if p.is_dir()) == left
    assert other.is_dir()
    out = capsys.readouterr().out
    assert f"removed {B32}/{FLOAT32}, {nbytes / 1000:.1f} kB" in out
    assert len(out.splitlines()) == 2 - len(left)


def test_removal_in_json(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = models / "my" / FLOAT32
    nbytes = converted(folder, dtype="float32")
    assert cli.main(["cache", "rm", "my", f"my/{FLOAT32}", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["removed"] == [{"path": str(folder), "bytes": nbytes}]
    assert document["bytes"] == nbytes


def test_leftovers_are_removed_and_nothing_else(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    converted(models / B32 / FLOAT32, dtype="float32")
    left = [models / B32 / f".{FLOAT16}.partial", models / B32 / f".{FLOAT32}.old"]
    for folder in left:
        converted(folder, dtype="float16")
    with held(models / B32 / FLOAT16):  # its partial folder is being written
        assert cli.main(["cache", "ls", "--json"]) == 0
        listing = json.loads(capsys.readouterr().out)
        assert [entry["path"] for entry in listing["leftovers"]] == [str(left[1])]
        assert cli.main(["cache", "rm", "--leftovers"]) == 0
        assert [folder.exists() for folder in left] == [True, False]
    assert cli.main(["cache", "rm", "--leftovers"]) == 0
    assert [folder.exists() for folder in left] == [False, False]
    assert (models / B32 / FLOAT32 / "model.safetensors").is_file()


def test_what_is_being_written_is_not_removed(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    converted(models / B32 / FLOAT32, dtype="float32")
    with held(models / B32 / FLOAT32):
        assert cli.main(["cache", "rm", B32]) == 7
    assert "zoo: LOCK: another process is using this" in capsys.readouterr().err
    assert (models / B32 / FLOAT32 / "model.safetensors").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_run_is_using_is_not_removed(
    models: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = models.parent / kind / "my" / "model" / "row"
    kept.parent.mkdir(parents=True)
    kept.touch()
    with in_use(kind, print), in_use(kind, print):  # two runs at once
        assert cli.main(["cache", "rm", kind]) == 7
        assert kept.is_file()
    assert "zoo: LOCK: another process is using this" in capsys.readouterr().err
    assert cli.main(["cache", "rm", kind]) == 0
    assert not kept.exists() and not list(models.parent.glob(".*"))


def test_nothing_outside_the_cache_is_removed(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = tmp_path / "mine"
    converted(outside, dtype="float32")
    models.mkdir(parents=True)
    (models / "linked").symlink_to(outside)
    (models / ".linked.old").symlink_to(outside)
    for target in (str(outside), f"{models}/../../mine", str(models / "linked"), str(models)):
        assert cli.main(["cache", "rm", target]) == 4, target
    assert cli.main(["cache", "rm", "linked"]) == 6
    assert cli.main(["cache", "rm", "--leftovers"]) == 0
    assert len(list(outside.iterdir())) == 2
    assert "PATH: this is nothing that is in the cache" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["ls", "x"], 2),
        (["ls", "--leftovers"], 2),
        (["rm"], 2),
        (["mv", "x"], 2),
        (["rm", "laion/CLIP-ViT-L-14"], 2),  # ambiguous
        (["rm", "nothing"], 6),
        (["rm", B32], 6),
    ],
)
@pytest.mark.usefixtures("models")
def test_what_makes_no_sense(words: list[str], code: int) -> None:
    assert cli.main(["cache", *words]) == code


def made(home: Path) -> dict[str, int]:
    """Programs of a model and what evaluations keep; sizes in bytes, by their names."""
    sizes = {f"programs/{B32}/0123456789ab": 30, "programs/my/model/ab": 5, "classifiers": 7}
    for name, size in sizes.items():
        (home / name).mkdir(parents=True)
        file = "x.npy" if name == "classifiers" else "inference.json"
        (home / name / file).write_bytes(bytes(size))
    return sizes


def test_what_was_made_is_listed_and_removed(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    converted(models / B32 / FLOAT16, dtype="float16")
    sizes, home = made(models.parent), models.parent
    assert cli.main(["cache", "ls", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert {e["path"]: e["bytes"] for e in listing["made"]} == {
        str(home / name): size for name, size in sizes.items()
    }
    assert cli.main(["cache", "ls"]) == 0
    assert "classifiers, 7 B" in capsys.readouterr().out
    assert cli.main(["cache", "rm", "classifiers", "programs/my/model/ab"]) == 0
    assert not (home / "classifiers").exists() and not (home / "programs/my/model/ab").exists()
    assert cli.main(["cache", "rm", B32]) == 0, "a model is its conversions and its programs"
    assert not list(home.glob(f"*/{B32}/*"))
