"""PaddleNLP's CLIPModel on what ``zoo export --to paddlenlp`` writes, in its own environment."""

from __future__ import annotations

from typing import Any

from benchmarks.contestants.serve import Works


def prepare(folder: str) -> Works:
    import paddle
    from paddlenlp.transformers import CLIPModel

    model = CLIPModel.from_pretrained(folder)
    model.eval()

    @paddle.no_grad()
    def images(pixels: Any) -> Any:
        return model.get_image_features(pixel_values=paddle.to_tensor(pixels)).numpy()

    @paddle.no_grad()
    def texts(tokens: Any) -> Any:
        return model.get_text_features(input_ids=paddle.to_tensor(tokens)).numpy()

    return {"images": images, "texts": texts}
