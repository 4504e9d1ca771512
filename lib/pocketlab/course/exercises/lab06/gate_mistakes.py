"""What people get wrong in exercise 06.6, and what to tell them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import chi2, norm

from pocketlab.course.exercise import Misconception

Array = np.ndarray


def squared(residual: Array, S: Array) -> float:
    """Return the right distance."""
    return float(residual @ np.linalg.solve(S, residual))


def bound(share: float, n: int) -> float:
    """Return the right bound for n degrees of freedom."""
    return float(chi2.ppf(share, n))


def answer(
    distance: Callable[[Array, Array], Any] = squared,
    limit: Callable[[float, Array], Any] = lambda share, residual: bound(share, len(residual)),
    accept: Callable[[Any, Any], Any] = lambda distance, limit: bool(distance <= limit),
    result: Callable[[Any, Any], Any] = lambda distance, accepted: (distance, accepted),
) -> Callable[[Array, Array, float], Any]:
    """Return an answer that is right but for the parts given."""

    def gate(residual: Array, S: Array, share: float) -> Any:
        found = distance(residual, S)
        return result(found, accept(found, limit(share, residual)))

    return gate


# The distance


def diagonal(residual: Array, S: Array) -> float:
    """Ignore what stands beside the diagonal."""
    return float(np.sum(residual**2 / np.diag(S)))


def diagonal_as_deviations(residual: Array, S: Array) -> float:
    """Divide by variances, then square."""
    return float(np.sum((residual / np.diag(S)) ** 2))


def length_of_solution(residual: Array, S: Array) -> float:
    """Let the inverse work twice."""
    return float(np.sum(np.linalg.solve(S, residual) ** 2))


def _length_of_solution_not_squared(residual: Array, S: Array) -> float:
    return float(np.linalg.norm(np.linalg.solve(S, residual)))


def _each_by_each(residual: Array, S: Array) -> float:
    """The residual times the inverse times the residual, number by number."""
    return float(np.sum(residual * np.linalg.inv(S) * residual))


def _root_the_wrong_way_round(residual: Array, S: Array) -> float:
    return float(np.sum(np.linalg.solve(np.linalg.cholesky(S).T, residual) ** 2))


def _matrix(residual: Array, S: Array) -> Array:
    column = np.asarray(residual).reshape(-1, 1)
    return np.asarray(column.T @ np.linalg.solve(S, column))


def _log_likelihood(residual: Array, S: Array) -> float:
    return float(squared(residual, S) + np.linalg.slogdet(S)[1])


def _cut_to_whole(residual: Array, S: Array) -> float:
    return float(residual @ np.linalg.solve(S, residual).astype(residual.dtype))


# NaN


def _skip_nan(residual: Array, S: Array) -> float:
    there = ~np.isnan(residual)
    return squared(residual[there], S[np.ix_(there, there)])


def _nan_is_zero(residual: Array, S: Array) -> float:
    return squared(np.nan_to_num(residual), S)


def _infinite_for_nan(residual: Array, S: Array) -> float:
    return np.inf if np.isnan(residual).any() else squared(residual, S)


def _none_for_nan(residual: Array, S: Array, share: float) -> Any:
    return None if np.isnan(residual).any() else answer()(residual, S, share)


def _refuse_nan(residual: Array, S: Array, share: float) -> Any:
    if np.isnan(residual).any():
        raise ValueError("a residual is made of numbers")
    return answer()(residual, S, share)


def _each_on_its_own(residual: Array, S: Array, share: float) -> Any:
    return squared(residual, S), bool(np.all(residual**2 / np.diag(S) <= bound(share, 1)))


ALONE = (
    Misconception(
        "the square root of both",
        answer(lambda r, S: float(np.sqrt(squared(r, S)))),
        "You take the square root of the distance and hold it against a bound for squares. The chi-squared "
        "distribution is one of squared distances: leave the root out, in what you compare and in what you return.",
    ),
    Misconception(
        "the square root returned",
        answer(result=lambda distance, accepted: (float(np.sqrt(distance)), accepted)),
        "Your decision is right, but you return the distance instead of its square. Return the number that you "
        "compared.",
    ),
    Misconception(
        "the square root of the bound",
        answer(limit=lambda share, r: np.sqrt(bound(share, len(r)))),
        "You hold the squared distance against the square root of the bound. `chi2.ppf` gives a bound for the square: "
        "compare the two as they are.",
    ),
    Misconception(
        "multiplied by S",
        answer(lambda r, S: float(r @ S @ r)),
        "You multiply with S where its inverse is wanted: a residual counts less, not more, where the spread is "
        "large. `np.linalg.solve(S, residual)` is S⁻¹ · residual.",
    ),
    Misconception(
        "off-diagonal numbers ignored",
        answer(diagonal),
        "You divide by S's diagonal and leave out the numbers beside it. They say in which direction the two errors "
        "go together, and there a large residual is no surprise: use `np.linalg.solve(S, residual)`.",
    ),
    Misconception(
        "the diagonal taken for standard deviations",
        answer(diagonal_as_deviations),
        "You divide by S's diagonal and square the result, so you divide by variances squared; and the off-diagonal "
        "numbers are missing. S holds variances already: residual @ np.linalg.solve(S, residual).",
    ),
    Misconception(
        "S ignored",
        answer(lambda r, S: float(r @ r)),
        "You return the squared length of the residual, whatever S is. Ten meters are much where the filter is sure "
        "and little where it is not: divide by S with `np.linalg.solve(S, residual)`.",
    ),
    Misconception(
        "one over each number of S",
        answer(lambda r, S: float(r @ (1 / S) @ r)),
        "You take one over each number of S. That is not the inverse of a matrix, and it is infinite where S is 0: "
        "use `np.linalg.solve(S, residual)`.",
    ),
    Misconception(
        "the inverse twice",
        answer(length_of_solution),
        "You square the length of S⁻¹ · residual, so S divides twice. Multiply it by the residual once more instead: "
        "`residual @ np.linalg.solve(S, residual)`.",
    ),
    Misconception(
        "the length of S⁻¹ · residual",
        answer(_length_of_solution_not_squared),
        "You take the length of S⁻¹ · residual. Multiply that vector by the residual once more instead: `residual @ "
        "np.linalg.solve(S, residual)`.",
    ),
    Misconception(
        "multiplied number by number",
        answer(_each_by_each),
        "`residual * inverse * residual` multiplies number by number, and takes each row's residual twice. The "
        "product of matrices is `@`: `residual @ np.linalg.solve(S, residual)`.",
    ),
    Misconception(
        "the Cholesky factor transposed",
        answer(_root_the_wrong_way_round),
        "`np.linalg.cholesky` gives L with L · Lᵀ = S, so it is L that the residual is divided by; you took Lᵀ. Where "
        "S has off-diagonal numbers that is something else.",
    ),
    Misconception(
        "the mean, not the sum",
        answer(lambda r, S: squared(r, S) / len(r)),
        "You divide the squared distance by the count of the residual's numbers. A chi-squared number is a sum of "
        "squares: the count comes in as the degrees of freedom.",
    ),
    Misconception(
        "half of the square",
        answer(lambda r, S: squared(r, S) / 2),
        "Your distance is half of the right one. The half belongs to the exponent of the normal distribution; the "
        "squared distance is residualᵀ · S⁻¹ · residual itself.",
    ),
    Misconception(
        "the log of the determinant added",
        answer(_log_likelihood),
        "You add the logarithm of S's determinant, as for a likelihood. The test wants the squared distance alone.",
    ),
    Misconception(
        "S⁻¹ · residual cut to whole numbers",
        answer(_cut_to_whole),
        "Right but for a residual of whole numbers: there you store S⁻¹ · residual as whole numbers too, and its "
        "fractions go. Compute in floats.",
    ),
    Misconception(
        "a matrix for a number",
        answer(_matrix, accept=lambda distance, limit: distance <= limit),
        "Your distance is a matrix of one row and one column, and so is the decision. With `residual` as it is, (n,), "
        "`residual @ np.linalg.solve(S, residual)` is a number.",
    ),
    Misconception(
        "one degree of freedom",
        answer(limit=lambda share, r: bound(share, 1)),
        "Your bound is for one degree of freedom, so you refuse too many fixes of two numbers. There are as many "
        "degrees as the residual has numbers: `len(residual)`.",
    ),
    Misconception(
        "two degrees of freedom",
        answer(limit=lambda share, r: bound(share, 2)),
        "Your bound is for two degrees of freedom, whatever comes in. The residual has as many as it has numbers: "
        "`len(residual)`.",
    ),
    Misconception(
        "one degree of freedom less",
        answer(limit=lambda share, r: bound(share, len(r) - 1)),
        "You take one degree of freedom away. That is for a mean that was estimated from the same numbers; here there "
        "is none: `len(residual)` degrees.",
    ),
    Misconception(
        "one degree of freedom more",
        answer(limit=lambda share, r: bound(share, len(r) + 1)),
        "You take one degree of freedom more than the residual has numbers. It is `len(residual)`.",
    ),
    Misconception(
        "degrees of freedom from S",
        answer(limit=lambda share, r: bound(share, len(r) ** 2)),
        "You count all numbers of S as degrees of freedom. The residual has them, one for each of its numbers: "
        "`len(residual)`.",
    ),
    Misconception(
        "the share that is refused",
        answer(limit=lambda share, r: bound(1 - share, len(r))),
        "Your bound lies where a share of 1 − share stays under it, so most good fixes are refused. `chi2.ppf(share, "
        "n)` is the bound that the share stays under; `chi2.isf` is the other end.",
    ),
    Misconception(
        "the other tail",
        answer(limit=lambda share, r: bound(1 - share, len(r)), accept=lambda d, limit: bool(d >= limit)),
        "You ask whether the share beyond this distance, `chi2.sf`, is at most `share`: that accepts the far ones. A "
        "fix is accepted where the share that is nearer is at most `share`: `chi2.cdf`, or compare with `chi2.ppf`.",
    ),
    Misconception(
        "both ends cut",
        answer(limit=lambda share, r: bound((1 + share) / 2, len(r))),
        "You leave half of the refused share for a lower end, as for a number that may be off to both sides. A "
        "squared distance is only ever too large: `chi2.ppf(share, n)`.",
    ),
    Misconception(
        "the distribution, not its inverse",
        answer(limit=lambda share, r: float(chi2.cdf(share, len(r)))),
        "`chi2.cdf` takes a distance and gives a share. You have a share and want the distance: `chi2.ppf`, its "
        "inverse.",
    ),
    Misconception(
        "the share as the bound",
        answer(limit=lambda share, r: share),
        "You compare the squared distance with the share itself. The bound is the distance that such a share stays "
        "under: `chi2.ppf(share, len(residual))`.",
    ),
    Misconception(
        "the share taken for percent",
        answer(limit=lambda share, r: bound(share / 100, len(r))),
        "You divide the share by 100. It is a share already, from 0 to 1, as `chi2.ppf` takes it.",
    ),
    Misconception(
        "the bound of a normal number",
        answer(limit=lambda share, r: float(norm.ppf(share))),
        "Your bound is that of one normally distributed number, which is not squared and not a sum. The squared "
        "distance has a chi-squared distribution: `chi2.ppf(share, len(residual))`.",
    ),
    Misconception(
        "three standard deviations",
        answer(limit=lambda share, r: 9.0),
        "Your bound is three standard deviations, whatever the share and however many numbers: `chi2.ppf(share, "
        "len(residual))` depends on both.",
    ),
    Misconception(
        "a bound that does not depend on the share",
        answer(limit=lambda share, r: bound(0.99, len(r))),
        "Your bound is that of a share of 0.99 in every case. Pass `share` to `chi2.ppf`.",
    ),
    Misconception(
        "each number on its own",
        _each_on_its_own,
        "You hold each number of the residual against a bound of its own. The test is one for all of them together: "
        "compare the squared distance that you return.",
    ),
    Misconception(
        "accepted and refused exchanged",
        answer(accept=lambda distance, limit: bool(distance > limit)),
        "Your decision is the wrong way round: True means that the fix is accepted, and that is where the distance is "
        "at or under the bound.",
    ),
    Misconception(
        "refused at the bound",
        answer(accept=lambda distance, limit: bool(distance < limit)),
        "A distance exactly at the bound is accepted: compare with `<=`.",
    ),
    Misconception(
        "NaN accepted",
        answer(accept=lambda distance, limit: not distance > limit),
        "You accept a residual with NaN in it. Every comparison with NaN is False, so `not distance > bound` is True "
        "there: ask `distance <= bound`.",
    ),
    Misconception(
        "numbers that are NaN left out",
        answer(_skip_nan),
        "You leave the numbers out that are NaN and test the others. A residual with NaN in it is not accepted here, "
        "and its distance is NaN: the computation gives that on its own.",
    ),
    Misconception(
        "NaN taken for 0",
        answer(_nan_is_zero),
        "You put 0 where the residual is NaN, which says that the fix agrees perfectly. Leave NaN as it is: the "
        "distance is NaN, and no comparison with it is True.",
    ),
    Misconception(
        "an infinite distance for NaN",
        answer(_infinite_for_nan),
        "You return an infinite distance for a residual with NaN in it. The distance is not large, it is unknown: NaN.",
    ),
    Misconception(
        "no distance for NaN",
        lambda residual, S, share: (0.0, False) if np.isnan(residual).any() else answer()(residual, S, share),
        "You return a distance of 0 for a residual with NaN in it, the best there is. It is unknown: NaN.",
    ),
    Misconception(
        "None for the distance where there is NaN",
        lambda residual, S, share: (None, False) if np.isnan(residual).any() else answer()(residual, S, share),
        "You return None for the distance of a residual with NaN in it. A number is wanted there too: NaN.",
    ),
    Misconception(
        "None for NaN",
        _none_for_nan,
        "You return None for a residual with NaN in it. The caller expects two values there too: NaN and False.",
    ),
    Misconception(
        "an error for NaN",
        _refuse_nan,
        "You raise an error for a residual with NaN in it. A fix that is missing is nothing unusual, and the filter "
        "goes on: return NaN and False.",
    ),
    Misconception(
        "the two values exchanged",
        answer(result=lambda distance, accepted: (accepted, distance)),
        "You return the decision first. The squared distance comes first, then whether the fix is accepted.",
    ),
    Misconception(
        "the decision alone",
        answer(result=lambda distance, accepted: accepted),
        "You return the decision alone. Return two values: `distance, accepted`.",
    ),
    Misconception(
        "the distance alone",
        answer(result=lambda distance, accepted: distance),
        "You return the squared distance alone. Return two values: `distance, accepted`.",
    ),
    Misconception(
        "the bound returned",
        lambda residual, S, share: (bound(share, len(residual)), answer()(residual, S, share)[1]),
        "Your decision is right, but you return the bound in place of the squared distance.",
    ),
)
