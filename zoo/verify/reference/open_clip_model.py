"""A CLIP as open_clip makes it from its own files."""

from __future__ import annotations

import zipfile
from pathlib import Path

from zoo.errors import ConfigError, NotFoundError
from zoo.verify.reference.interface import Reference
from zoo.verify.reference.libraries import open_clip, torch
from zoo.verify.request import ModelRequest


def load_open_clip(request: ModelRequest) -> Reference:
    """Loads what the request names.

    Raises:
        NotFoundError: a file is missing.
        ConfigError: open_clip refuses the configuration or the weights.
    """
    if request.folder is not None:
        name, weights = f"local-dir:{request.folder}", None
        needed = Path(request.folder, "open_clip_config.json")
        pickles = list(needed.parent.glob("*.bin"))
    else:
        # As an absolute path, or open_clip could take it for the tag of a download.
        needed = Path(str(request.weights)).absolute()
        name, weights = str(request.arch), str(needed)
        pickles = [needed]
    if not needed.is_file():
        raise NotFoundError("the reference's model is not there", where=needed)
    # Unmapped, the weights are in memory twice while they load. torch maps zip files alone.
    torch.utils.serialization.config.load.mmap = all(map(zipfile.is_zipfile, pickles))
    try:
        model, preprocess = open_clip.create_model_from_pretrained(name, pretrained=weights)
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".:")
        raise ConfigError(f"open_clip refuses the model: {reason}", where=needed) from error
    # CustomTextCLIP keeps the text tower in a module of its own.
    text_tower = getattr(model, "text", model)
    return Reference(
        model=model.eval(),
        blocks={
            "visual": model.visual.transformer.resblocks,
            "text": text_tower.transformer.resblocks,
        },
        preprocess=preprocess,
        tokenizer=open_clip.get_tokenizer(name),
    )
