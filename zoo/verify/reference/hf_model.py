"""A CLIP, or one tower of it, as transformers makes it from a folder of its own files.

The towers are transformers'. Pictures and texts are prepared as open_clip does: transformers reads
its own ``preprocessor_config.json``, and what that says of size, filter and norm goes to
open_clip's transform; texts go to open_clip's tokenizer. transformers' own processing of both
differs from what the models were trained with (docs/formats.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import PIL.Image

from zoo.errors import ConfigError, NotFoundError, missing_library
from zoo.verify.reference.interface import Reference
from zoo.verify.reference.libraries import open_clip, torch
from zoo.verify.request import ModelRequest

try:
    import transformers
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
except ModuleNotFoundError as error:
    raise missing_library(str(error.name), "reference", "comparing with transformers") from error

CLASSES = {
    "clip": "CLIPModel",
    "clip_vision_model": "CLIPVisionModelWithProjection",
    "clip_text_model": "CLIPTextModelWithProjection",
}


class Towers(torch.nn.Module):
    """transformers' model with open_clip's two calls.

    Pictures: float [n, 3, height, width]; tokens: int64 [n, length]; both give [n, embed].
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def logit_scale(self) -> torch.Tensor:
        return self.model.logit_scale

    def encode_image(self, pixels: torch.Tensor, normalize: bool = False) -> torch.Tensor:
        pooled = self.model.vision_model(pixel_values=pixels).pooler_output
        return _scaled(self.model.visual_projection(pooled), normalize)

    def encode_text(self, tokens: torch.Tensor, normalize: bool = False) -> torch.Tensor:
        pooled = self.model.text_model(input_ids=tokens).pooler_output
        return _scaled(self.model.text_projection(pooled), normalize)


def _scaled(features: torch.Tensor, normalize: bool) -> torch.Tensor:
    return torch.nn.functional.normalize(features, dim=-1) if normalize else features


def load_hf(request: ModelRequest) -> Reference:
    """Loads the folder that the request names.

    Raises:
        NotFoundError: it has no config.json.
        ConfigError: transformers refuses it, or finds keys missing or unexpected.
    """
    folder = Path(str(request.folder))
    if not (folder / "config.json").is_file():
        raise NotFoundError("the reference's model is not there", where=folder)
    transformers.utils.logging.disable_progress_bar()
    try:
        config = transformers.AutoConfig.from_pretrained(folder)
        model, report = getattr(transformers, CLASSES[config.model_type]).from_pretrained(
            folder,
            dtype=torch.float32,
            attn_implementation="sdpa",  # the eager one rounds float64's softmax to float32
            output_loading_info=True,
        )
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".:")
        raise ConfigError(f"transformers refuses the model: {reason}", where=folder) from error
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[kind]:
            first = sorted(report[kind])[0]
            raise ConfigError(f"transformers finds {kind}, such as {first}", where=folder)
    towers = {
        name: getattr(model, attribute)
        for name, attribute in (("visual", "vision_model"), ("text", "text_model"))
        if hasattr(model, attribute)
    }
    return Reference(
        model=Towers(model).eval(),
        blocks={name: tower.encoder.layers for name, tower in towers.items()},
        embeddings=[tower.embeddings for tower in towers.values()],
        preprocess=_preprocess(folder) if "visual" in towers else None,
        tokenizer=_tokenizer(model) if "text" in towers else None,
    )


def _preprocess(folder: Path) -> Any:
    """open_clip's transform with what transformers reads from the folder."""
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    crop = processor.crop_size
    size = (crop["height"], crop["width"]) if processor.do_center_crop else None
    edges = dict(processor.size)
    squash = edges.get("shortest_edge") is None
    preprocess = open_clip.transform.PreprocessCfg(
        size=size or (edges["height"], edges["width"]),
        mean=tuple(processor.image_mean),
        std=tuple(processor.image_std),
        interpolation=PIL.Image.Resampling(processor.resample).name.lower(),
        resize_mode="squash" if squash else "shortest",
    )
    return open_clip.transform.image_transform_v2(preprocess, is_train=False)


def _tokenizer(model: Any) -> Any:
    config = getattr(model.config, "text_config", model.config)
    return open_clip.SimpleTokenizer(context_length=config.max_position_embeddings)
