"""Run by PaddleNLP's own python, which can't be ours: FOLDER INPUTS.npz OUT.npz.

Loads the folder, fails on any key that is missing or unexpected, and saves the features.
"""

import sys

import numpy as np
import paddle
from paddlenlp.transformers import CLIPModel


def main(folder: str, inputs: str, out: str) -> None:
    complaints = []
    check = CLIPModel._load_pretrained_model

    def checked(*args, **kwargs):
        model, missing, unexpected, mismatched, *rest = check(*args, **kwargs)
        complaints.extend([*missing, *unexpected, *mismatched])
        return (model, missing, unexpected, mismatched, *rest)

    CLIPModel._load_pretrained_model = checked
    model = CLIPModel.from_pretrained(folder, dtype="float32")
    if complaints:
        raise SystemExit(f"keys that do not fit: {complaints}")
    model.eval()
    given = np.load(inputs)
    with paddle.no_grad():
        image = model.get_image_features(pixel_values=paddle.to_tensor(given["pixels"]))
        text = model.get_text_features(input_ids=paddle.to_tensor(given["tokens"]))
    np.savez(out, image=image.numpy(), text=text.numpy())


main(*sys.argv[1:])
