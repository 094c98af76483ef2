"""Which data a command line means."""

from __future__ import annotations

from pathlib import Path

from train.data.coco import read_coco
from train.data.pairs import Pairs, read_csv, read_json
from train.data.parts import read_parts
from train.data.records import Records
from train.data.shards import is_shards, read_shards
from train.flags import Arguments
from zoo.errors import UsageError
from zoo.talk import Silence, Talk

TASKS = (
    "coco_clip, a .json with --image_root, a .csv or .tsv, webdataset shards as {0000..0009}.tar, "
    "a list of LAION part files"
)
COCO = "coco_clip"
QUIET = Silence()


def find_data(arguments: Arguments, talk: Talk = QUIET) -> Pairs | Records:
    """The pictures and captions that ``--train_annotations`` or ``--task_name`` names.

    Args:
        arguments: the command line's.
        talk: told of a download.

    Raises:
        UsageError: it is no kind of data that is known.
        ZooError: what reading the annotations raises.
    """
    name = arguments.train_annotations or arguments.task_name
    path = Path(name)
    if is_shards(name):
        return read_shards(name, resampled=arguments.dataset_resampled)
    if arguments.dataset_resampled:
        raise UsageError("--dataset_resampled draws from webdataset shards", where=name)
    if name == COCO:
        return read_coco(talk)
    if path.suffix in (".csv", ".tsv"):
        return read_csv(
            path,
            image_key=arguments.csv_img_key,
            caption_key=arguments.csv_caption_key,
            separator=arguments.csv_separator,
            image_root=Path(arguments.image_root),
        )
    if path.suffix == ".json":
        if not arguments.image_root:
            raise UsageError(
                "JSON annotations need --image_root", remedy="Name the folder of the pictures."
            )
        return read_json(path, Path(arguments.image_root))
    if path.is_file() or "laion" in str(path):
        return read_parts(path)
    raise UsageError(f"{path} is no data set that is known", remedy=f"Known are {TASKS}.")
