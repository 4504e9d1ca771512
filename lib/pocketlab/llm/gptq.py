"""GPTQ: round one column of weights after the other, and let the columns still to come make up for the error.

Source: Frantar et al. 2023 (GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers), section 3 and
algorithm 1, in the order of the columns; with groups, whose grids are made when their turn comes (section 4, "grouping").
"""

from __future__ import annotations

import torch
from torch import Tensor

from pocketlab.llm.grids import Grid, check, group_parameters, make_grid, nearest


def gptq(weight: Tensor, hessian: Tensor, bits: int, group_size: int, damping: float = 0.01) -> Grid:
    """Return a weight (outputs, inputs) on its grid, so chosen that `output_error` gets small.

    hessian: (inputs, inputs), the mean of x·xᵀ over the layer's inputs; a factor does not matter. damping: added to its
    diagonal, as a share of the diagonal's mean. An input that was always 0 is rounded to nearest.
    Raises ValueError as `round_to_nearest` does, for a hessian of another shape, and for one with a NaN or an infinity.
    """
    check(weight, bits, group_size)
    w = weight.detach().double().clone()
    upper = _inverse_factor(_checked(hessian, w.shape[1]), damping)
    integers, scales, zero_points = torch.empty_like(w), [], []
    for start in range(0, w.shape[1], group_size):
        columns = range(start, min(start + group_size, w.shape[1]))
        stop = columns.stop
        scale, zero_point = group_parameters(w[:, start:stop], bits)
        errors = torch.empty_like(w[:, start:stop])
        for column in columns:
            integers[:, column] = nearest(w[:, column], scale, zero_point, bits)
            rounded = scale * (integers[:, column] - zero_point)
            error = (w[:, column] - rounded) / upper[column, column]
            w[:, column:stop] -= torch.outer(error, upper[column, column:stop])
            errors[:, column - start] = error
        w[:, stop:] -= errors @ upper[start:stop, stop:]  # what comes after the group learns of it once, which is faster
        scales.append(scale)
        zero_points.append(zero_point)
    return make_grid(integers, torch.stack(scales, 1), torch.stack(zero_points, 1), bits, group_size)


def output_error(change: Tensor, hessian: Tensor) -> float:
    """Return the mean over inputs of the squared change of a layer's output, tr(ΔW · H · ΔWᵀ), summed over the outputs.

    change: (outputs, inputs), quantized less original weight; hessian: (inputs, inputs), the mean of x·xᵀ, in whose type it is
    computed.
    Source: Frantar et al. 2023, equation 1.
    """
    change = change.to(hessian.dtype)
    return float(((change @ hessian) * change).sum())


def _inverse_factor(hessian: Tensor, damping: float) -> Tensor:
    """Return upper triangular U with Uᵀ·U the inverse of the damped hessian.

    Row j of it, divided by U[j, j], says how the columns after j make up for an error in column j, the columns before being
    fixed: what the paper's step-by-step elimination arrives at, all at once and without its rounding errors.
    """
    h = hessian.double().clone()
    diagonal = h.diagonal()
    never = diagonal == 0
    diagonal[never] = 1.0
    diagonal += damping * diagonal[~never].mean() if bool((~never).any()) else damping
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(h))
    return torch.linalg.cholesky(inverse, upper=True)


def _checked(hessian: Tensor, inputs: int) -> Tensor:
    if hessian.shape != (inputs, inputs) or not bool(hessian.isfinite().all()):
        raise ValueError(f"{inputs} inputs need a finite hessian ({inputs}, {inputs}); got one of {tuple(hessian.shape)}.")
    return hessian
