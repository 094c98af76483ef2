"""For PaddleNLP: ``paddlenlp.transformers.CLIPModel.from_pretrained(FOLDER)``."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.convert.export.target import Files, Target
from zoo.convert.pdparams_writer import write_pdparams
from zoo.convert.tables import PADDLENLP as FORMAT
from zoo.files import pretty_json
from zoo.spec import CLIPSpec, paddlenlp
from zoo.spec.open_clip import NORM_EPS


def _files(spec: CLIPSpec) -> Files:
    return {paddlenlp.CONFIG_NAME: pretty_json(paddlenlp.dump(spec))}


def _warnings(spec: CLIPSpec) -> Sequence[str]:
    assert spec.vision is not None and spec.text is not None
    if {spec.vision.norm_eps, spec.text.norm_eps} == {NORM_EPS}:
        return []
    return [
        f"PaddleNLP's norms have epsilon {NORM_EPS}, whatever its configuration says; this model's "
        f"have {spec.vision.norm_eps} and {spec.text.norm_eps}"
    ]


PADDLENLP = Target(
    library="PaddleNLP",
    format=FORMAT,
    weights="model_state.pdparams",
    write=write_pdparams,
    files=_files,
    warnings=_warnings,
)
