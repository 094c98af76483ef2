"""For PaddleMIX: the folder that its scripts take as ``--model``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zoo.convert.export.target import Files, Target
from zoo.convert.pdparams_writer import write_pdparams
from zoo.convert.tables import PADDLEMIX as FORMAT
from zoo.errors import ConfigError
from zoo.files import pretty_json
from zoo.spec import CLIPSpec, paddlemix, paddlemix_processor
from zoo.spec.open_clip import NORM_EPS


def _files(spec: CLIPSpec) -> Files:
    files = {paddlemix.CONFIG_NAME: pretty_json(paddlemix.dump(spec))}
    assert spec.text is not None  # or dump had raised
    if spec.preprocess is None:
        raise ConfigError("PaddleMIX's scripts need to know how pictures are prepared")
    processors = paddlemix_processor.dump(spec.preprocess, spec.text.context_length)
    return files | {name: pretty_json(content) for name, content in processors.items()}


def _warnings(spec: CLIPSpec) -> Sequence[str]:
    return list(_differences(spec))


def _differences(spec: CLIPSpec) -> Iterator[str]:
    """What PaddleMIX's code does otherwise, whatever its files say (PaddleMIX of October 2024)."""
    vision, text = spec.vision, spec.text
    assert vision is not None and text is not None
    if vision.activation == "quick_gelu":
        yield (
            "PaddleMIX's image tower always computes gelu; this model's is quick_gelu, so its "
            "image features will be wrong there"
        )
    if {vision.norm_eps, text.norm_eps} != {NORM_EPS}:
        yield (
            f"PaddleMIX's norms have epsilon {NORM_EPS}; this model's have {vision.norm_eps} and "
            f"{text.norm_eps}"
        )


PADDLEMIX = Target(
    library="PaddleMIX",
    format=FORMAT,
    weights="model_state.pdparams",
    write=write_pdparams,
    files=_files,
    warnings=_warnings,
)
