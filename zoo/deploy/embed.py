"""``python -m zoo.deploy.embed REQUEST.json``: unit features of pictures and of texts.

The request is ``zoo.deploy.request.EmbedRequest``; the answer is as in ``zoo.verify.encode``, and
so are stdout and stderr.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from zoo.deploy.request import EmbedRequest
from zoo.imagesets.collection import open_collection
from zoo.verify.encode import encode
from zoo.verify.predict import environment
from zoo.verify.process import answer, say, tell
from zoo.verify.request import EncodeRequest


def embed(request: EmbedRequest) -> dict[str, Any]:
    """Answers the request.

    Raises:
        ZooError: what opening the collection and encoding it raise.
    """
    paths = (None if path is None else Path(path) for path in (request.images, request.texts))
    asked = EncodeRequest(
        folder=request.folder,
        data=request.images or "",
        out=request.out,
        batch_size=request.batch_size,
        workers=request.workers,
        precision=request.precision,
    )
    encode(asked, open_collection(*paths), partial(tell, "embed"), say)
    return environment()


if __name__ == "__main__":
    sys.exit(answer(sys.argv[1:], EmbedRequest, embed))
