"""Out again: a converted checkpoint as a folder that another library reads."""

from zoo.convert.export.hf import HF
from zoo.convert.export.open_clip import OPEN_CLIP
from zoo.convert.export.paddlemix import PADDLEMIX
from zoo.convert.export.paddlenlp import PADDLENLP
from zoo.convert.export.target import Target

__all__ = ["TARGETS", "Target"]

TARGETS: dict[str, Target] = {
    "open_clip": OPEN_CLIP,
    "hf": HF,
    "paddlemix": PADDLEMIX,
    "paddlenlp": PADDLENLP,
}
