"""The long proofs on full-size models as transformers writes them, with both activations.

    python -m tools.proofs_hf                  # ViT-B-32 and ViT-L-14
    python -m tools.proofs_hf ViT-H-14

Each model has random weights and is saved by transformers in one file and in shards of 500 MB;
transformers 5 writes no ``.bin``, so that is its state dict by torch.save. All three are converted,
and the first is exported to open_clip and converted from there: four times the same bytes are
expected. Rungs 4 and 5 hold the first against transformers and the last against open_clip, so that
no mistake in the export can hide one in the conversion. Figures go to docs/proofs.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tools.proofs import convert, put, run, verify
from zoo.manifest.registry import registry
from zoo.spec import ACTIVATIONS, Activation, hf, hf_preprocessor

COMMON = ("ViT-B-32", "ViT-L-14")
FORMS = ("safetensors", "bin", "shards")

MAKE = """
import json, sys
from pathlib import Path
from zoo.verify.reference.libraries import torch
import transformers
config, processor, folder = json.loads(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])
torch.manual_seed(0)
model = transformers.CLIPModel(transformers.CLIPConfig(**config))
with torch.no_grad():  # norms and biases begin as ones and zeros, which hide mistakes
    for name, parameter in model.named_parameters():
        if "norm" in name or "bias" in name:
            parameter.add_(0.1 * torch.randn_like(parameter))
model.save_pretrained(folder / "safetensors")
model.save_pretrained(folder / "shards", max_shard_size="500MB")
model.config.save_pretrained(folder / "bin")
torch.save(model.state_dict(), folder / "bin" / "pytorch_model.bin")
for form in ("safetensors", "shards", "bin"):
    (folder / form / "preprocessor_config.json").write_text(json.dumps(processor))
"""


def prove(name: str, activation: Activation, folder: Path) -> str:
    """The row of one of open_clip's architectures with one activation."""
    print(f"{name}, {activation}: made and saved by transformers", file=sys.stderr)
    base = registry().architecture(name)
    assert base.vision and base.text and base.preprocess
    spec = replace(
        base,
        vision=replace(base.vision, activation=activation),
        text=replace(base.text, activation=activation),
    )
    said = (hf.dump(spec), hf_preprocessor.dump(base.preprocess))
    subprocess.run([sys.executable, "-c", MAKE, *map(json.dumps, said), folder], check=True)
    forms = {form: convert(folder / form, folder / f"{form}-native") for form in FORMS}
    shards = len(list((folder / "shards").glob("*.safetensors")))
    native, back = folder / "safetensors-native", folder / "open_clip"
    climbs = [verify(folder / f"{f}-native", folder / f, "roundtrip") for f in FORMS[1:]]
    whole = verify(native, folder / "safetensors", "pipeline")
    run("export", str(native), "--to", "open_clip", "--out", str(back))
    forms["open_clip"] = convert(back, folder / "open_clip-native")
    exported = verify(folder / "open_clip-native", back, "pipeline")
    same = len({form.sha256 for form in forms.values()}) == 1
    cells = (
        f"{name}, {activation}",
        *(f"{forms[form].run.seconds:.1f}" for form in FORMS),
        *(f"{forms[form].run.anonymous / 1e6:.0f}" for form in FORMS),
        str(shards),
        "yes" if same else "NO",
        *(climb.passed for climb in (whole, *climbs, exported)),
        whole.worst,
        exported.worst,
    )
    return f"| {' | '.join(cells)} |"


def main(names: list[str]) -> None:
    """Proves each model and puts its rows into the page."""
    for name in names:
        for activation in ACTIVATIONS:
            with tempfile.TemporaryDirectory(prefix="zoo-proofs-") as folder:
                put(prove(name, activation, Path(folder)), "| model, activation |")


if __name__ == "__main__":
    main(sys.argv[1:] or list(COMMON))
