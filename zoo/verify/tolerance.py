"""Every bound of the ladder, with its reason.

Parity is judged against the reference in float64, which both float32 computations approximate. A
float32 network has no one error: it grows with depth and depends on the weights. The reference's
own float32 error at the same layer, on the same inputs, is the measure of what is unavoidable;
another order of summation makes another error of the same size, so twice that is allowed. Near the
input, where the reference may be exact by luck, four units in the last place stand below it.
"""

from __future__ import annotations

EPS = 2.0**-23  # float32: distance from 1 to the next number
FACTOR = 2.0
FLOOR = 4 * EPS


def parity_bound(reference_error: float) -> float:
    """The relative RMS error ours may have where the reference's float32 has ``reference_error``.

    Both are relative to the float64 reference.
    """
    return max(FACTOR * reference_error, FLOOR)
