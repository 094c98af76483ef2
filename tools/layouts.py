"""The files in which open_clip's weights are found, each written by the library that people use.

    python -m tools.layouts SOURCE LAYOUT OUT

makes of a folder with open_clip's safetensors one in another layout.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import safetensors.torch

from zoo.verify.reference.libraries import torch

WEIGHTS = "open_clip_model.safetensors"
CONFIG = "open_clip_config.json"
SHARDS = 4

Tensors = Mapping[str, Any]  # name to torch.Tensor


def one_file(tensors: Tensors, out: Path) -> None:
    safetensors.torch.save_file(dict(tensors), out / WEIGHTS, {"format": "pt"})


def shards(tensors: Tensors, out: Path) -> None:
    of = {name: f"{number % SHARDS}.safetensors" for number, name in enumerate(tensors)}
    for shard in sorted(set(of.values())):
        part = {name: tensors[name] for name in tensors if of[name] == shard}
        safetensors.torch.save_file(part, out / shard)
    index = json.dumps({"metadata": {}, "weight_map": of})
    (out / f"{WEIGHTS}.index.json").write_text(index)


def pickled(tensors: Tensors, out: Path, *, in_zip: bool) -> None:
    path = out / "open_clip_pytorch_model.bin"
    torch.save(dict(tensors), path, _use_new_zipfile_serialization=in_zip)


LAYOUTS: dict[str, Callable[[Tensors, Path], None]] = {
    "safetensors": one_file,
    "shards": shards,
    "zip": partial(pickled, in_zip=True),
    "legacy": partial(pickled, in_zip=False),  # torch before 1.6
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("layout", choices=LAYOUTS)
    parser.add_argument("out", type=Path, help="a new folder")
    args = parser.parse_args()
    args.out.mkdir()
    shutil.copy(args.source / CONFIG, args.out)
    LAYOUTS[args.layout](safetensors.torch.load_file(args.source / WEIGHTS), args.out)


if __name__ == "__main__":
    main()
