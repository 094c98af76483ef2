"""What can't be cut; test_ranks.py and test_job.py have what is cut, on several ranks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from train.flags import Arguments
from train.topology import Topology
from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
import_paddle()

from train.tensor_parallel import check_degree  # noqa: E402
from zoo.errors import UsageError  # noqa: E402
from zoo.manifest import registry  # noqa: E402
from zoo.spec import CLIPSpec  # noqa: E402

TWO = Topology(rank=0, data=1, sharding=1, tensor=2)


@pytest.mark.parametrize(
    ("tower", "change", "message"),
    [
        ("vision", {"heads": 3}, "image tower's 3 heads can't be cut into 2"),
        ("text", {"heads": 5}, "text tower's 5 heads"),
        ("text", {"mlp_width": 45}, "text tower's 45 MLP units"),
        ("text", {"vocab_size": 97}, "vocabulary of 97 tokens"),
    ],
)
def test_what_has_no_equal_parts_is_refused(
    spec: CLIPSpec,
    arguments: Callable[..., Arguments],
    tower: str,
    change: dict[str, int],
    message: str,
) -> None:
    uneven = replace(spec, **{tower: replace(getattr(spec, tower), **change)})
    with pytest.raises(UsageError, match=message):
        check_degree(uneven, arguments(), TWO)
    check_degree(spec, arguments(), TWO)
    check_degree(uneven, arguments(), replace(TWO, tensor=1))


def test_lamb_takes_whole_matrices(spec: CLIPSpec, arguments: Callable[..., Arguments]) -> None:
    with pytest.raises(UsageError, match="lamb needs the norms of whole matrices"):
        check_degree(spec, arguments("--optimizer", "lamb"), TWO)


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-L-14", "ViT-H-14", "ViT-g-14", "ViT-bigG-14"])
@pytest.mark.parametrize("degree", [2, 4])
def test_the_zoos_architectures_have_equal_parts(
    arguments: Callable[..., Arguments], name: str, degree: int
) -> None:
    check_degree(registry().architecture(name), arguments(), replace(TWO, tensor=degree))
