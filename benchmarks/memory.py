"""Peak anonymous memory while converting, for every format that is read.

    python -m benchmarks.memory ViT-L-14

The process's RssAnon is looked at every 10 ms: mapped files do not count, because the system takes
them back when it needs to. Needs the extra `reference`, which makes the checkpoint; disk for four
times its size.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import report
from tools.proofs import MAKE, run
from zoo.convert import provenance
from zoo.convert.native import open_native

# From a folder with open_clip's safetensors to one in another layout.
LAYOUTS = {
    "legacy .bin": """
torch.save(tensors, out / "open_clip_pytorch_model.bin", _use_new_zipfile_serialization=False)
""",
    "shards": """
of = {name: f"{number % 4}.safetensors" for number, name in enumerate(tensors)}
for shard in sorted(set(of.values())):
    part = {name: tensors[name] for name in tensors if of[name] == shard}
    safetensors.torch.save_file(part, out / shard)
index = out / "open_clip_model.safetensors.index.json"
index.write_text(json.dumps({"metadata": {}, "weight_map": of}))
""",
}
START = """
import json, shutil, sys
from pathlib import Path
from zoo.verify.reference.libraries import torch
import safetensors.torch
source, out = map(Path, sys.argv[1:])
out.mkdir()
shutil.copy(source / "open_clip_config.json", out)
tensors = safetensors.torch.load_file(source / "open_clip_model.safetensors")
"""
EXPORTS = {"transformers": "hf", ".pdparams": "paddlemix"}


def sources(folder: Path, architecture: str, native: Path) -> Iterator[tuple[str, Path]]:
    """Every format's name and folder, one after the other, each removed when the next comes.

    The first is converted to ``native`` before the last are asked for, which are made from that.
    """
    subprocess.run([sys.executable, "-c", MAKE, architecture, folder], check=True)
    whole, place = folder / "safetensors", folder / "other"
    yield "safetensors", whole
    yield "zip .bin", folder / "bin"
    shutil.rmtree(folder / "bin")
    for name, script in LAYOUTS.items():
        subprocess.run([sys.executable, "-c", START + script, whole, place], check=True)
        yield name, place
        shutil.rmtree(place)
    shutil.rmtree(whole)
    for name, library in EXPORTS.items():
        run("export", str(native), "--to", library, "--out", str(place))
        yield name, place
        shutil.rmtree(place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architecture", nargs="?", default="ViT-L-14")
    args = parser.parse_args()
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        folder = Path(name)
        native, out = folder / "native", folder / "out"
        digests = set()
        for format, source in sources(folder, args.architecture, native):
            target = out if native.exists() else native
            done = run("convert", str(source), "--out", str(target))
            digests.add(provenance.read(target).tensors_digest)
            peaks[format] = round(done.anonymous / 1e6, 1)
            print(f"{format}: {peaks[format]} MB", file=sys.stderr)
            shutil.rmtree(out, ignore_errors=True)
        with open_native(native) as checkpoint:
            sizes = [info.nbytes for info in checkpoint.tensors.values()]
    report(
        {
            "architecture": args.architecture,
            "checkpoint MB": round(sum(sizes) / 1e6, 1),
            "largest tensor MB": round(max(sizes) / 1e6, 1),
            "peak anonymous MB": peaks,
            "the same tensors from every format": len(digests) == 1,
        }
    )


if __name__ == "__main__":
    main()
