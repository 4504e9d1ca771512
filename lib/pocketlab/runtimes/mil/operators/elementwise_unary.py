"""Operators on one tensor, element by element.

Source of the definitions: coremltools 9, converters/mil/mil/ops/defs/iOS15 and iOS17, elementwise_unary.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pocketlab.runtimes.mil.registry import operator

_INTEGERS = {"int8": torch.int8, "uint8": torch.uint8, "int16": torch.int16, "int32": torch.int32}


@operator("abs")
def absolute(x: Tensor) -> Tensor:
    """Return |x|."""
    return x.abs()


@operator()
def acos(x: Tensor) -> Tensor:
    """Return the arc cosine of x."""
    return x.acos()


@operator()
def asin(x: Tensor) -> Tensor:
    """Return the arc sine of x."""
    return x.asin()


@operator()
def atan(x: Tensor) -> Tensor:
    """Return the arc tangent of x."""
    return x.atan()


@operator()
def atanh(x: Tensor) -> Tensor:
    """Return the inverse hyperbolic tangent of x."""
    return x.atanh()


@operator()
def cast(x: Tensor, dtype: str) -> Tensor:
    """Return x as numbers of `dtype`: int8, uint8, int16, uint16, int32, fp16, fp32 or bool.

    To an integer, decimals are cut off and what does not fit wraps around: 300 becomes 44 as uint8, -1 becomes 255.
    """
    if dtype in ("fp16", "fp32"):
        return x.float()
    if dtype == "bool":
        return x.bool()
    whole = x.to(torch.int32)  # C leaves open what a float beyond a narrow type becomes; from int32 all machines wrap
    return whole & 0xFFFF if dtype == "uint16" else whole.to(_INTEGERS[dtype])  # uint16 is held in int32


@operator()
def ceil(x: Tensor) -> Tensor:
    """Return x rounded up."""
    return x.ceil()


@operator()
def clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return x, not less than alpha and not more than beta; beta, if these contradict each other (iOS 15 lets them)."""
    return x.clamp(alpha, beta)


@operator()
def cos(x: Tensor) -> Tensor:
    """Return the cosine of x."""
    return x.cos()


@operator()
def cosh(x: Tensor) -> Tensor:
    """Return the hyperbolic cosine of x."""
    return x.cosh()


@operator()
def erf(x: Tensor) -> Tensor:
    """Return the error function of x."""
    return x.erf()


@operator()
def exp(x: Tensor) -> Tensor:
    """Return e^x."""
    return x.exp()


@operator()
def exp2(x: Tensor) -> Tensor:
    """Return 2^x; for whole numbers a whole number, so that 2^-1 is 0."""
    return x.exp2()


@operator()
def floor(x: Tensor) -> Tensor:
    """Return x rounded down."""
    return x.floor()


@operator()
def inverse(x: Tensor, epsilon: float) -> Tensor:
    """Return 1 / (x + epsilon)."""
    return (x + epsilon).reciprocal_()


@operator()
def log(x: Tensor, epsilon: float) -> Tensor:
    """Return ln(x + epsilon). By default that is the smallest float32, which makes the logarithm of 0 -103.3."""
    return (x + epsilon).log_()


@operator()
def logical_not(x: Tensor) -> Tensor:
    """Return true where x is false."""
    return x.logical_not()


@operator("round")
def round_to_even(x: Tensor) -> Tensor:
    """Return the whole number nearest to x, the even one if there are two: 0.5 becomes 0, 1.5 becomes 2."""
    return x.round()


@operator()
def rsqrt(x: Tensor, epsilon: float) -> Tensor:
    """Return 1 / sqrt(x + epsilon)."""
    return (x + epsilon).rsqrt_()


@operator()
def sign(x: Tensor) -> Tensor:
    """Return -1, 0 or 1."""
    return x.sign()


@operator()
def sin(x: Tensor) -> Tensor:
    """Return the sine of x."""
    return x.sin()


@operator()
def sinh(x: Tensor) -> Tensor:
    """Return the hyperbolic sine of x."""
    return x.sinh()


@operator()
def sqrt(x: Tensor) -> Tensor:
    """Return the square root of x."""
    return x.sqrt()


@operator()
def square(x: Tensor) -> Tensor:
    """Return x * x."""
    return x * x


@operator()
def tan(x: Tensor) -> Tensor:
    """Return the tangent of x."""
    return x.tan()


@operator()
def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent of x."""
    return x.tanh()


@operator()
def threshold(x: Tensor, alpha: Tensor) -> Tensor:
    """Return x, but not less than alpha."""
    return torch.maximum(x, alpha)
