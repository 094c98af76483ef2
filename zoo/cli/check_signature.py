"""``zoo check-signature``: who vouches for a converted checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.cli.output import Output, printable

EXAMPLES = """\
examples:
  zoo check-signature ./B-32 --key key.pub.pem

Exit code 5 says that the key did not make the signature, or that a file was
changed, added or removed since. What was signed is named: a signature is as
good for yesterday's weights as for today's. No network is used."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="DIR", type=Path, help="a signed checkpoint")
    parser.add_argument("--key", type=Path, required=True, help="the signer's public key, in PEM")


def run(args: argparse.Namespace) -> int:
    from zoo.convert import provenance
    from zoo.signing import check_signature

    out = Output(args)
    check_signature(args.checkpoint, args.key)
    record = provenance.read(args.checkpoint)
    if out.json:
        out.document({"id": record.id, "tensors_digest": record.tensors_digest})
    else:
        out.data(printable(f"signed by this key: {record.id}, tensors {record.tensors_digest}"))
    return 0
