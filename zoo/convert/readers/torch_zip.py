"""torch.save's files since torch 1.6: a zip archive with a pickle and one record per storage."""

from __future__ import annotations

from zoo.convert.readers import torch_pickle
from zoo.convert.readers.contents import Contents
from zoo.convert.readers.layout import Extent
from zoo.convert.readers.mapped_file import MappedFile
from zoo.convert.readers.pickle_data import load
from zoo.convert.readers.recognise import ACCEPTED
from zoo.convert.readers.zip_directory import ZipDirectory
from zoo.errors import FormatError


def read(file: MappedFile) -> Contents:
    """What a zip archive that torch.save wrote holds; tensors in the order of the state dict.

    Raises:
        FormatError: it was not torch.save that wrote the archive, or the pickle in it is refused.
        TruncatedError: the archive is cut short.
    """
    archive = ZipDirectory(file)
    folder = _folder(archive)
    _check_byte_order(file, archive, folder)
    pickle = _record(file, archive, folder + b"data.pkl")
    root, end = load(
        pickle,
        0,
        check_global=torch_pickle.check_global,
        persistent_load=torch_pickle.persistent_load,
    )
    if end != len(pickle):
        raise FormatError(f"{len(pickle) - end} bytes follow the pickle")

    def storage(key: str) -> Extent:
        return archive.extent(folder + b"data/" + key.encode("utf-8", "surrogatepass"))

    return torch_pickle.contents(root, storage, format="torch-zip")


def _folder(archive: ZipDirectory) -> bytes:
    """The one folder that everything lies in, with its slash."""
    folders = [
        name.removesuffix(b"data.pkl")
        for name in archive.records
        if name.count(b"/") == 1 and name.endswith(b"/data.pkl")
    ]
    if len(folders) != 1:
        raise FormatError(
            "this is a zip archive, but not one that torch.save wrote", remedy=ACCEPTED
        )
    folder = folders[0]
    if folder + b"constants.pkl" in archive.records:
        raise FormatError(
            "this is a TorchScript archive: a program with its weights",
            remedy="For OpenAI's models use the repository in Hugging Face's format, or "
            "open_clip's; for others save the model's state_dict() with torch.save.",
        )
    return folder


def _check_byte_order(file: MappedFile, archive: ZipDirectory, folder: bytes) -> None:
    """Files from before torch 2.1 have no such record, and are little-endian."""
    name = folder + b"byteorder"
    if name in archive.records and bytes(_record(file, archive, name)) != b"little":
        raise FormatError("the tensors are stored in big-endian byte order")


def _record(file: MappedFile, archive: ZipDirectory, name: bytes) -> memoryview:
    extent = archive.extent(name)
    return file.view(extent.offset, extent.nbytes)
