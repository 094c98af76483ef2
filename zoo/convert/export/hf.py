"""For Hugging Face transformers: ``CLIPModel.from_pretrained(FOLDER)``, or the one tower."""

from __future__ import annotations

from pathlib import Path

from zoo.convert.export.hf_tokenizer import tokenizer_files
from zoo.convert.export.target import Files, Target, write_for_torch
from zoo.convert.tables import HF as FORMAT
from zoo.files import pretty_json
from zoo.spec import CLIPSpec, hf, hf_preprocessor

_README = Path(__file__).with_name("hf_readme.md")


def _files(spec: CLIPSpec) -> Files:
    config = hf.dump(spec)
    files = {
        hf.CONFIG_NAME: pretty_json(config),
        "README.md": _README.read_bytes().replace(b"CLASS", config["architectures"][0].encode()),
    }
    if spec.preprocess is not None:
        files[hf_preprocessor.CONFIG_NAME] = pretty_json(hf_preprocessor.dump(spec.preprocess))
    if spec.text is not None:
        files |= tokenizer_files(spec.text.context_length)
    return files


HF = Target(
    library="transformers",
    format=FORMAT,
    weights="model.safetensors",
    write=write_for_torch,
    files=_files,
)
