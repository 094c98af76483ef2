"""``zoo sign``: vouch for a converted checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.cli.output import Output
from zoo.errors import DigestError

EXAMPLES = """\
examples:
  zoo sign ./B-32 --key key.pem

A pair of keys is made by:
  openssl ecparam -name prime256v1 -genkey -noout -out key.pem
  openssl ec -in key.pem -pubout -out key.pub.pem

The signature is DIR/model.sig, by the model-signing library (the extra `sign`).
It covers every file but the evidence. No network is used."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="DIR", type=Path, help="a converted checkpoint")
    parser.add_argument("--key", type=Path, required=True, help="your private key, in PEM")


def run(args: argparse.Namespace) -> int:
    from zoo.convert import provenance
    from zoo.signing import sign
    from zoo.verify.rungs.files import check_files

    out = Output(args)
    record = provenance.read(args.checkpoint)
    outcome = check_files(args.checkpoint, out)
    if outcome.status != "pass":
        raise DigestError(f"not signed: {outcome.reason}", where=args.checkpoint)
    signature = sign(args.checkpoint, args.key)
    if out.json:
        out.document(
            {"signature": str(signature), "id": record.id, "tensors_digest": record.tensors_digest}
        )
    else:
        out.data(str(signature))
    return 0
