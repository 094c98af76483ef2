from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

CONFIG, SAFE, BIN = (
    "open_clip_config.json",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
)
BLOCK = 2**18  # bytes that are read at a time
COUNT, WIDTH = 200, 20_000
NBYTES = COUNT * WIDTH * 4  # 16 MB


def safetensors(names: list[str]) -> bytes:
    step = WIDTH * 4
    header = {
        name: {"dtype": "F32", "shape": [WIDTH], "data_offsets": [i * step, (i + 1) * step]}
        for i, name in enumerate(names)
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(len(names) * step)


NAMES = [f"block.{i}.weight" for i in range(COUNT)]
CHECKPOINT = safetensors(NAMES)


def whole(handler: Any) -> bool:
    """A server that knows no ranges."""
    if "/lfs/" not in handler.path:
        return False
    handler.reply(200, CHECKPOINT)
    return True


def test_names_and_shapes_cost_one_block(hub: Any, client: Any, name: str) -> None:
    commit = hub.repo(name, {CONFIG: b"{}", SAFE: CHECKPOINT, "README.md": b"words"}).main
    seen = client.look(name)["result"]
    assert seen["commit"] == commit
    assert seen["format"] == "safetensors"
    assert seen["tensors"] == {tensor: ["float32", [WIDTH]] for tensor in NAMES}
    assert seen["weights"] == [SAFE]
    assert seen["nbytes"] == len(CHECKPOINT)
    assert seen["received"] == BLOCK
    assert hub.file_bytes() == BLOCK + len(b"{}")
    assert [Path(path).read_bytes() for path in seen["configs"]] == [b"{}"]


def test_of_shards_each_header_is_read(hub: Any, client: Any, name: str) -> None:
    halves = {"a-1.safetensors": NAMES[:100], "a-2.safetensors": NAMES[100:]}
    index = {"weight_map": {tensor: file for file, names in halves.items() for tensor in names}}
    files = {file: safetensors(names) for file, names in halves.items()}
    hub.repo(name, {CONFIG: b"{}", f"{SAFE}.index.json": json.dumps(index).encode()} | files)
    seen = client.look(name)["result"]
    assert seen["weights"] == list(halves)
    assert list(seen["tensors"]) == NAMES
    assert seen["received"] == 2 * BLOCK


@pytest.mark.reference
def test_of_a_torch_file_the_directory_and_the_pickle_are_read(
    hub: Any, client: Any, name: str
) -> None:
    import torch

    buffer = io.BytesIO()
    torch.save({tensor: torch.zeros(WIDTH, dtype=torch.bfloat16) for tensor in NAMES}, buffer)
    hub.repo(name, {CONFIG: b"{}", BIN: buffer.getvalue()})
    seen = client.look(name)["result"]
    assert seen["format"] == "torch-zip"
    assert seen["tensors"] == {tensor: ["bfloat16", [WIDTH]] for tensor in NAMES}
    assert seen["received"] <= 2 * BLOCK  # its beginning and its end


@pytest.mark.reference
def test_torchs_old_format_is_not_read_from_afar(hub: Any, client: Any, name: str) -> None:
    import torch

    buffer = io.BytesIO()
    torch.save({"x": torch.zeros(3)}, buffer, _use_new_zipfile_serialization=False)
    hub.repo(name, {CONFIG: b"{}", BIN: buffer.getvalue()})
    assert client.look(name)["error"]["name"] == "FORMAT"


def test_a_server_without_ranges_is_left_before_it_has_sent_the_file(
    hub: Any, client: Any, name: str
) -> None:
    hub.repo(name, {CONFIG: b"{}", SAFE: CHECKPOINT})
    hub.fault = whole
    error = client.look(name)["error"]
    assert error["name"] == "NETWORK"
    assert "does not send parts of a file (status 200); nothing of it was read" in error["what"]
    assert "signature" not in error["where"]
    assert [seen.sent < NBYTES / 2 for seen in hub.asked("/lfs/")] == [True]


@pytest.mark.parametrize(
    "said", [f"bytes 1-{BLOCK}/{len(CHECKPOINT)}", f"bytes 0-{BLOCK - 1}/{len(CHECKPOINT) - 1}", ""]
)
def test_another_part_than_asked_for_is_not_taken(
    hub: Any, client: Any, name: str, said: str
) -> None:
    hub.repo(name, {CONFIG: b"{}", SAFE: CHECKPOINT})

    def fault(handler: Any) -> bool:
        if "/lfs/" in handler.path:
            handler.reply(206, CHECKPOINT[:BLOCK], {"Content-Range": said})
        return "/lfs/" in handler.path

    hub.fault = fault
    assert client.look(name)["error"]["name"] == "NETWORK"


def test_fewer_bytes_than_said_are_not_taken(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, {CONFIG: b"{}", SAFE: CHECKPOINT})

    def fault(handler: Any) -> bool:
        if "/lfs/" in handler.path:
            said = {"Content-Range": f"bytes 0-{BLOCK - 1}/{len(CHECKPOINT)}"}
            handler.reply(206, CHECKPOINT[: BLOCK - 1], said)
        return "/lfs/" in handler.path

    hub.fault = fault
    error = client.look(name)["error"]
    assert error["what"] == f"asked for {BLOCK} bytes, the server sent {BLOCK - 1}"


def test_a_header_beyond_all_measure_is_not_asked_for(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, {CONFIG: b"{}", SAFE: (2**24).to_bytes(8, "little") + b"{" + bytes(2**24)})
    error = client.look(name)["error"]
    assert error["name"] == "NETWORK"
    assert "more than 16 MiB" in error["what"]
    assert hub.file_bytes() == BLOCK + len(b"{}")


def test_damage_is_located(hub: Any, client: Any, name: str) -> None:
    commit = hub.repo(name, {CONFIG: b"{}", SAFE: b"<html>no weights</html>"}).main
    error = client.look(name)["error"]
    assert error["name"] == "FORMAT"
    assert error["where"] == f"{hub.endpoint}/{name}/resolve/{commit}/{SAFE}"


def test_the_configuration_is_checked(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, {CONFIG: b"{}", SAFE: CHECKPOINT})
    pin = {"hub": name, "sha256": {CONFIG: hashlib.sha256(b"[]").hexdigest()}}
    assert client.look(name, manifest=pin)["error"]["name"] == "DIGEST"


def test_a_gated_file_needs_a_token(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, {CONFIG: b"{}", SAFE: CHECKPOINT}).gated = True
    assert "Accept it at" in client.look(name)["error"]["remedy"]


def test_nothing_is_looked_at_offline(hub: Any, offline: Any, client: Any, name: str) -> None:
    hub.repo(name, {CONFIG: b"{}", SAFE: CHECKPOINT})
    for error in (
        offline.look(name)["error"],
        client.look(name, env={"ZOO_OFFLINE": "1"})["error"],
    ):
        assert error["name"] == "OFFLINE"
        assert error["remedy"].endswith(f"=0 zoo show --remote {name}")
    assert hub.seen == []
