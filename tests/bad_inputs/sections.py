"""The tables, in the order in which the page has them."""

from types import ModuleType

from tests.bad_inputs.cases import (
    config,
    converted,
    datasets,
    outputs,
    pickles,
    safetensors,
    shards,
    sources,
    weights,
)

SECTIONS: tuple[ModuleType, ...] = (
    safetensors,
    pickles,
    shards,
    config,
    weights,
    sources,
    outputs,
    converted,
    datasets,
)
