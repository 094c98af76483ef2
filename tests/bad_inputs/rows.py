"""Rows that take more than one command to show; the tests beside this file show them."""

from __future__ import annotations

from tests.bad_inputs.case import Row

TITLE = "While it runs"

FULL_DISK = Row(
    input="less space than the result needs",
    code=7,
    name="DISK",
    says=("are needed and", "are free", "--out"),
)
FILLED_DISK = Row(
    input="a disk that fills up while the weights are written",
    code=7,
    name="DISK",
    says=("the disk is full", "Nothing was changed"),
)
FILLED_LATE = Row(
    input="a disk that fills up when only the provenance is left to write",
    code=7,
    name="DISK",
    says=("the disk is full", "Nothing was changed"),
)
SIZE_LIMIT = Row(
    input="a limit on the size of files (`ulimit -f`)",
    code=7,
    name="DISK",
    says=("the disk is full", "Nothing was changed"),
)
READ_ONLY = Row(
    input="a file system that is mounted read-only",
    code=7,
    name="PERMISSION",
    says=("no permission", "Read-only"),
)
INTERRUPT = Row(input="SIGINT (Ctrl-C)", code=130, says=("nothing unfinished was left behind",))
TERMINATE = Row(input="SIGTERM", code=143, says=("nothing unfinished was left behind",))
CHANGED = Row(
    input="a source that changes while it is read",
    code=5,
    name="DIGEST",
    says=("the file changed while it was being read", "Run again when nothing writes to it"),
)
CUT = Row(
    input="a source that is cut short while it is read",
    code=135,
    note="the system ends the process (SIGBUS); nothing is lost, and the next run clears up",
)
SECOND = Row(
    input="a second `zoo convert` to the same place",
    code=4,
    name="PATH",
    says=("another process is using out; waiting", "the output exists"),
)
SECOND_FORCED = Row(
    input="a second `zoo convert --force` to the same place",
    code=0,
    says=("another process is using out; waiting",),
)
SECOND_CACHED = Row(
    input="a second `zoo convert` of the same model into the cache",
    code=0,
    says=("waiting", "converted already"),
)
SECOND_EVALUATION = Row(
    input="a second `zoo verify --zero-shot` of the same model on the same pictures",
    code=0,
    says=("waiting",),
)
DEAD_LOCK = Row(input="a lock whose holder was killed", code=0)
MEMORY = Row(input="a limit on memory below the size of the checkpoint (`ulimit -d`)", code=0)
NO_PADDLE = Row(
    input="`zoo.load` without Paddle",
    code=6,
    name="NOTFOUND",
    says=("paddle is not installed", "paddle-clip-zoo[cpu]"),
)
NO_DEVICE = Row(
    input="`gpu:0` with the Paddle for CPU, to `zoo.load` and to training",
    code=2,
    name="USAGE",
    says=("no device 'gpu:0'", "install the Paddle that is built for it", "zoo doctor"),
)
NO_LOCKS = Row(
    input="a file system without locks, as some network file systems are",
    code=7,
    name="LOCK",
    says=("this file system has no locks",),
)
NO_HUB = Row(
    input="no network, or a hub that is not there",
    code=6,
    name="NETWORK",
    says=("the hub can't be reached", "HTTPS_PROXY"),
)
NO_NAME = Row(
    input="a hub whose name nobody knows (no DNS)",
    code=6,
    name="NETWORK",
    says=("the hub can't be reached", "HF_ENDPOINT"),
)
NO_PROXY = Row(
    input="a proxy that is not there",
    code=6,
    name="NETWORK",
    says=("the hub can't be reached", "HTTPS_PROXY"),
)
STRANGER = Row(
    input="a hub whose certificate nobody vouches for (TLS)",
    code=6,
    name="NETWORK",
    says=("the hub's certificate is not to be trusted", "SSL_CERT_FILE"),
)
NO_SIGNING = Row(
    input="`zoo sign` without the library that signs",
    code=6,
    name="NOTFOUND",
    says=("model-signing is not installed", "paddle-clip-zoo[sign]"),
)

ROWS = {name: row for name, row in globals().items() if isinstance(row, Row)}
