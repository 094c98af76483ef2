"""For open_clip: ``open_clip.create_model_from_pretrained("local-dir:FOLDER")``."""

from __future__ import annotations

from zoo.convert.export.target import Files, Target, write_for_torch
from zoo.convert.tables import OPEN_CLIP as FORMAT
from zoo.files import pretty_json
from zoo.spec import CLIPSpec, open_clip


def _files(spec: CLIPSpec) -> Files:
    return {open_clip.CONFIG_NAME: pretty_json(open_clip.dump(spec))}


OPEN_CLIP = Target(
    library="open_clip",
    format=FORMAT,
    weights="open_clip_model.safetensors",
    write=write_for_torch,
    files=_files,
)
