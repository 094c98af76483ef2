"""Reading picture files that may be broken or hostile."""

from __future__ import annotations

from io import BytesIO
from os import PathLike

from PIL import Image, UnidentifiedImageError

from zoo.errors import (
    AccessError,
    FormatError,
    NotFoundError,
    PathError,
    TruncatedError,
    ZooError,
)

MAX_PIXELS = 89_478_485  # where PIL starts to warn of decompression bombs; 268 MB as RGB

# PIL knows more, some of which are programs to it: EPS runs Ghostscript.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")


def open_image(path: str | PathLike[str], data: bytes | None = None) -> Image.Image:
    """Decode a picture file; the first frame of an animation.

    Args:
        path: the file; with ``data``, only what messages call it.
        data: the file's bytes, where they are no file of their own.

    Raises:
        NotFoundError, AccessError, PathError: there is no such file, it may not be read, or it is a
            folder.
        TruncatedError: the file ends within the picture.
        FormatError: it is no picture of a known format, is broken, or has more than MAX_PIXELS.
    """
    try:
        source = path if data is None else BytesIO(data)
        with Image.open(source, formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(path)
            image.load()
            return image
    except ZooError:
        raise
    except FileNotFoundError as error:
        raise NotFoundError("There is no such picture", where=path) from error
    except PermissionError as error:
        raise AccessError("The picture may not be read", where=path) from error
    except IsADirectoryError as error:
        raise PathError("A picture was expected, this is a folder", where=path) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path) from error
    except UnidentifiedImageError as error:
        known = f"Pictures may be {', '.join(_FORMATS)}."
        raise FormatError("The file is no picture", where=path, remedy=known) from error
    except Exception as error:  # a broken file trips PIL's decoders in many ways
        if "truncated" in str(error).lower():
            raise TruncatedError("The picture file is cut off", where=path) from error
        raise FormatError(f"The picture can't be decoded: {error}", where=path) from error


def _too_large(path: str | PathLike[str]) -> FormatError:
    return FormatError(
        f"The picture has more than {MAX_PIXELS:,} pixels",
        where=path,
        remedy="Scale it down first.",
    )
