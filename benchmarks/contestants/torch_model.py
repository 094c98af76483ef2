"""open_clip on torch: eager or through ``torch.compile``, in any precision."""

from __future__ import annotations

import warnings
from typing import Any

from benchmarks.contestants.serve import Works
from benchmarks.contestants.torch_product import product
from zoo.verify.reference.libraries import open_clip, torch


def prepare(folder: str, precision: str = "float32", compiled: bool = False) -> Works:
    """
    Args:
        folder: open_clip's own files.
        precision: of weights and products.
        compiled: both towers go through the compiler, for each shape that comes.
    """
    warnings.simplefilter("ignore")
    dtype = getattr(torch, precision)
    model, _ = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model = model.eval().to(dtype)
    encode_image, encode_text = model.encode_image, model.encode_text
    if compiled:
        encode_image = torch.compile(encode_image, dynamic=False)
        encode_text = torch.compile(encode_text, dynamic=False)

    @torch.inference_mode()
    def images(pixels: Any) -> Any:
        return encode_image(torch.from_numpy(pixels).to(dtype)).double().numpy()

    @torch.inference_mode()
    def texts(tokens: Any) -> Any:
        return encode_text(torch.from_numpy(tokens)).double().numpy()

    @torch.inference_mode()
    def classifier(words: Any) -> Any:
        built = open_clip.build_zero_shot_classifier(
            model, tokenizer, words["names"], [_template(t) for t in words["templates"]]
        )
        return built.double().numpy()

    return {"images": images, "texts": texts, "classifier": classifier, "product": product()}


def _template(text: str) -> Any:
    return lambda name: text.replace("{}", name)
