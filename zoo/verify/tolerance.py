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
LONGEST = 2.0**-13  # a reference's own error: see yardstick


def parity_bound(reference_error: float) -> float:
    """The relative RMS error ours may have where the reference's float32 has ``reference_error``.

    Both are relative to the float64 reference.
    """
    return max(FACTOR * reference_error, FLOOR)


def is_yardstick(reference_error: float) -> bool:
    """Whether a reference's own float32 error can be what others are measured by.

    One rounding to the 11 bits of the next coarser arithmetic (TF32, float16) is off by
    2^-11 / sqrt(6) = 2e-4 in relative RMS. A reference that is off by more than 2^-13 = 1.2e-4 did
    not compute in float32, or the weights amplify rounding so much that float32 proves nothing;
    twice its error would let anything pass. A NaN is none.
    """
    return reference_error <= LONGEST


SCORE = 100.0  # the zero-shot protocol's scores are 100 * cosine
UNITS_APART = 2.0  # the largest distance of two unit vectors


def margin_band(image_bound: float, text_bound: float) -> float:
    """How large a lead between two classes may be and still be rounding's, in scores.

    A lead is 100 f (w1 - w2), f and w of length 1. If f is off by e and each w by d, it is off by
    at most 100 (2 e + 2 d), by Cauchy and Schwarz. Where parity holds, our features are within
    ``image_bound`` of float64 and the reference's within half of it, and so are the texts'.
    """
    return SCORE * UNITS_APART * (1 + 1 / FACTOR) * (image_bound + text_bound)
