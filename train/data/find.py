"""Which data a command line means."""

from __future__ import annotations

from pathlib import Path

from train.data.pairs import Pairs, read_coco, read_csv, read_json
from train.data.parts import Parts, read_parts
from train.flags import Arguments
from zoo.errors import UsageError

TASKS = "coco_clip, a .json with --image_root, a .csv or .tsv, a list of LAION part files"
COCO = "coco_clip"


def find_data(arguments: Arguments) -> Pairs | Parts:
    """The pictures and captions that ``--train_annotations`` or ``--task_name`` names.

    Raises:
        UsageError: it is no kind of data that is known.
        NotFoundError, DatasetError: what reading the annotations raises.
    """
    if not arguments.train_annotations and arguments.task_name == COCO:
        return read_coco()
    path = Path(arguments.train_annotations or arguments.task_name)
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
    if path.suffix == ".tar":
        raise UsageError(f"webdataset shards are not supported yet: {path}")
    if path.is_file() or "laion" in str(path):
        return read_parts(path)
    raise UsageError(f"{path} is no data set that is known", remedy=f"Known are {TASKS}.")
