"""``zoo show --remote``: a checkpoint on the hub, by its configuration and headers alone."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from zoo.cli.output import Output, printable
from zoo.errors import FormatError, UsageError

if TYPE_CHECKING:
    from zoo.convert.source import Source
    from zoo.hub.remote import Remote


def show_remote(text: str, revision: str | None, out: Output) -> int:
    """Shows what SOURCE is on the hub: read from headers, planned, and held against the manifest.

    Raises:
        UsageError: the source lies on this disk.
        ZooError: what looking at it raises; the plan's own errors where it does not fit.
    """
    from zoo.convert.source import find_source
    from zoo.hub.remote import look

    source = find_source(text)
    if source.repo is None:
        raise UsageError("--remote looks at the hub, and this source lies here", where=text)
    remote = look(source.repo, revision=revision, manifest=source.manifest, family=None, talk=out)
    with remote.checkpoint:
        document = _document(source, remote)
    if out.json:
        out.document(document)
    else:
        for name, value in document.items():
            shown = f"{value:,}" if isinstance(value, int) else str(value)
            out.data(f"{name.replace('_', ' '):<16}  {printable(shown)}")
    return 0


def _document(source: Source, remote: Remote) -> dict[str, Any]:
    from zoo.convert.assemble import plan_for
    from zoo.convert.reconcile import reconcile
    from zoo.convert.select import Opened
    from zoo.convert.stated import read_stated
    from zoo.convert.tables import recognise

    tensors = remote.checkpoint.tensors
    form = recognise(tensors)
    stated = read_stated(remote.family, remote.configs[0].parent)
    if form is None or stated is None:
        raise FormatError("what lies there is no CLIP that zoo knows", where=remote.repo)
    opened = Opened(checkpoint=remote.checkpoint, format=form, stated=stated, others=())
    plan = plan_for(opened, reconcile(stated, source.manifest, trust=None))
    params = sum(math.prod(s) for step in plan.steps for s in step.target_shapes)
    types = Counter(str(info.dtype) for info in tensors.values())
    return {
        "repo": remote.repo,
        "commit": remote.commit,
        "format": form.name,
        "weights": ", ".join(remote.weights),
        "weights_bytes": remote.nbytes,
        "bytes_read": remote.received,
        "tensors": len(tensors),
        "types": ", ".join(f"{name} ({count})" for name, count in types.items()),
        "parameters": params,
        "manifest": "none" if source.manifest is None else f"agrees with {source.manifest.id}",
    }
