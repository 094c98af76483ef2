from __future__ import annotations

from pathlib import Path

from zoo.convert import provenance
from zoo.convert.bundled import bundled_checkpoint
from zoo.talk import Talk


def test_it_is_converted_once_into_the_cache(zoo_home: Path, silence: Talk) -> None:
    folder = bundled_checkpoint(silence)
    assert folder.parent == zoo_home / "models" / "tiny-digits"
    record = provenance.read(folder)
    assert (record.id, record.command) == ("tiny-digits", ["zoo", "convert", "tiny-digits"])
    stamp = (folder / "provenance.json").stat().st_mtime_ns
    assert bundled_checkpoint(silence) == folder
    assert (folder / "provenance.json").stat().st_mtime_ns == stamp
