from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import NotFoundError, UsageError
from zoo.verify.request import PredictRequest, TapsRequest, read_request

TAPS = {"folder": "model", "dtype": "keep", "images": ["a.png"], "texts": ["a"], "out": "out"}
PREDICT = {
    "task": "predict",
    "arch": "ViT-B-32",
    "weights": "model.bin",
    "dtype": "float16",
    "images": ["a.png"],
    "classes": ["cat"],
    "templates": ["a {}"],
    "out": "out",
}


def read(folder: Path, document: dict[str, Any]) -> TapsRequest | PredictRequest:
    path = folder / "request.json"
    path.write_text(json.dumps(document))
    return read_request(path)


def test_a_request_without_task_asks_for_taps(tmp_path: Path) -> None:
    request = read(tmp_path, {**TAPS, "arch": None, "weights": None, "float64": False})
    assert isinstance(request, TapsRequest)
    assert (request.folder, request.float64, request.taps) == ("model", False, True)


def test_a_prediction_is_asked_for_by_task(tmp_path: Path) -> None:
    request = read(tmp_path, PREDICT)
    assert isinstance(request, PredictRequest)
    assert (request.arch, request.weights, request.folder) == ("ViT-B-32", "model.bin", None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dtype": "float8"}, "float8"),
        ({"text": ["a"]}, "unknown field `text`"),
        ({"task": "train"}, "train"),
        ({"folder": None}, "names the model"),
        ({"arch": "ViT-B-32", "weights": "model.bin"}, "names the model"),
        ({"folder": None, "arch": "ViT-B-32"}, "names the model"),
    ],
)
def test_what_is_no_request_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(tmp_path, {**TAPS, **change})


def test_what_is_no_json_or_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_request(tmp_path / "absent.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UsageError):
        read_request(tmp_path / "broken.json")
