"""The mistakes of exercise 06.5, and what to tell those who make them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pocketlab.course.exercise import Misconception
from pocketlab.course.exercises.lab06.kalman_step_wrong import (
    RIGHT,
    Step,
    before,
    constant_velocity,
    covariance_first,
    covariance_kept_at_nan,
    discrete_noise,
    expected_at_nan,
    gain_of_position,
    in_place,
    joseph_with_std,
    joseph_without_noise,
    position_only,
    refused_at_nan,
    unchanged_at_nan,
    updated_first,
    white_noise,
    zero_at_nan,
)

_ONCE = (
    Misconception(
        "updated before predicting",
        updated_first,
        "You update first and predict afterwards. The measurement comes at the end of the interval: predict, then "
        "update.",
    ),
    Misconception(
        "NaN for all",
        replace(RIGHT, is_missing=lambda z: False),
        "A NaN measurement makes all NaN. Where nothing was measured, predict only: `np.isnan(z)`; z == np.nan is "
        "never true.",
    ),
    Misconception(
        "nothing predicted at NaN",
        unchanged_at_nan,
        "Where nothing was measured you return what came in. Time goes on: predict, and leave out the update.",
    ),
    Misconception(
        "the covariance kept at NaN",
        covariance_kept_at_nan,
        "Where nothing was measured you predict the state but not its covariance, which grows meanwhile.",
    ),
    Misconception(
        "NaN taken for 0",
        zero_at_nan,
        "You put 0 for a missing measurement, and so pull the point to 0. Leave out the update.",
    ),
    Misconception(
        "NaN taken for what was expected",
        expected_at_nan,
        "You put the expected position for a missing measurement, so the covariance shrinks as though it had been "
        "measured. Leave out the update.",
    ),
    Misconception(
        "NaN refused",
        refused_at_nan,
        "You raise an error where nothing was measured. That is common: predict only.",
    ),
    Misconception(
        "0 taken for nothing measured",
        replace(RIGHT, is_missing=lambda z: bool(np.isnan(z)) or z == 0),
        "You skip the update where z is 0, but 0 is a position like any other. Only NaN means that nothing was "
        "measured.",
    ),
    Misconception(
        "the arguments changed",
        in_place,
        "You write into the arrays that you are given, and the caller may still need them. `state = F @ state` makes "
        "a new one.",
    ),
    Misconception(
        "the covariance updated before the gain",
        covariance_first,
        "You compute the gain anew from the updated covariance. One gain, from the predicted covariance, is for both.",
    ),
)

_TWICE = (
    Misconception(
        "the old covariance in the gain",
        replace(RIGHT, for_gain=before),
        "Your gain comes from the covariance before the prediction. Predict first; the update uses what came out.",
    ),
    Misconception(
        "the old covariance in all of the update",
        replace(RIGHT, for_gain=before, for_kept=before),
        "Your update uses the covariance before the prediction. Predict first; the update uses what came out.",
    ),
    Misconception(
        "the old covariance updated",
        replace(RIGHT, for_kept=before),
        "You multiply (I − K · [1, 0]) by the covariance before the prediction. Use the predicted one, as in the gain.",
    ),
    Misconception(
        "the old position in the residual",
        replace(RIGHT, for_residual=before),
        "You compare z with the position before the prediction. By now the point has moved: use the predicted "
        "position.",
    ),
    Misconception(
        "Q forgotten",
        replace(RIGHT, noise=lambda t, d: np.zeros((2, 2))),
        "You leave out Q, what an unknown acceleration adds: the filter would become surer and surer. Add it when you "
        "predict.",
    ),
    Misconception(
        "Q after the update",
        replace(RIGHT, noise_at_the_end=True),
        "You add Q after the update. It belongs to the prediction, so that the gain knows of it.",
    ),
    Misconception(
        "d not squared",
        replace(RIGHT, noise=lambda t, d: white_noise(t, float(np.sqrt(d)))),
        "You multiply Q by d. A covariance has squares in it: multiply by d².",
    ),
    Misconception(
        "Q of a constant acceleration",
        replace(RIGHT, noise=discrete_noise),
        "Your Q is that of an acceleration which stays constant over the interval, with t⁴/4. For white acceleration "
        "of density d it is d² · [[t³/3, t²/2], [t²/2, t]].",
    ),
    Misconception(
        "Q only on the diagonal",
        replace(RIGHT, noise=lambda t, d: white_noise(t, d) * np.eye(2)),
        "Your Q has zeros beside the diagonal. An acceleration that moves the point changes its velocity too: t²/2 "
        "stands there.",
    ),
    Misconception(
        "Q on the diagonal, the same for both",
        replace(RIGHT, noise=lambda t, d: d**2 * np.eye(2)),
        "You add d² to both variances. How much an acceleration adds depends on the interval: Q = d² · [[t³/3, t²/2], "
        "[t²/2, t]].",
    ),
    Misconception(
        "Q's diagonal exchanged",
        replace(RIGHT, noise=lambda t, d: white_noise(t, d)[::-1, ::-1]),
        "Your Q has t for the position and t³/3 for the velocity. Position comes first: [[t³/3, t²/2], [t²/2, t]].",
    ),
    Misconception(
        "Q without its fractions",
        replace(RIGHT, noise=lambda t, d: d**2 * np.array([[t**3, t**2], [t**2, t]])),
        "Your Q lacks the 3 and the 2: d² · [[t³/3, t²/2], [t²/2, t]].",
    ),
    Misconception(
        "s not squared",
        replace(RIGHT, gain=lambda covariance, s: covariance[:, 0] / (covariance[0, 0] + s)),
        "You add s to a variance. s is a standard deviation: its square is the variance of the measurement.",
    ),
    Misconception(
        "a standard deviation of the position too",
        replace(RIGHT, gain=lambda covariance, s: covariance[:, 0] / (np.sqrt(covariance[0, 0]) + s)),
        "You add standard deviations. Variances add: covariance[0, 0] + s².",
    ),
    Misconception(
        "the measurement's share",
        replace(RIGHT, gain=lambda covariance, s: np.array([s**2, covariance[1, 0]]) / (covariance[0, 0] + s**2)),
        "Your gain grows with the noise of the measurement. It is the other share: the variance of the position over "
        "the sum.",
    ),
    Misconception(
        "s² left out of the gain",
        replace(RIGHT, gain=lambda covariance, s: covariance[:, 0] / covariance[0, 0]),
        "You divide by covariance[0, 0] alone, as if measurements had no noise. Add s².",
    ),
    Misconception(
        "each divided by its own",
        replace(RIGHT, gain=lambda covariance, s: covariance[:, 0] / (covariance[:, 0] + s**2)),
        "You divide the second number of the gain by a sum of its own. Both are divided by covariance[0, 0] + s².",
    ),
    Misconception(
        "the diagonal for the column",
        replace(RIGHT, gain=lambda covariance, s: np.diag(covariance) / (covariance[0, 0] + s**2)),
        "You take the diagonal of the covariance for its first column. What a position says of the velocity is in "
        "covariance[1, 0]: use `covariance[:, 0]`.",
    ),
    Misconception(
        "no gain for the velocity",
        replace(RIGHT, gain=gain_of_position),
        "You correct the position alone. A position says something of the velocity too: K is all of covariance[:, 0] "
        "over covariance[0, 0] + s².",
    ),
    Misconception(
        "the velocity not moved",
        replace(RIGHT, moved=position_only),
        "You move the position alone. The second number of K moves the velocity.",
    ),
    Misconception(
        "the gain of the position for both",
        replace(RIGHT, moved=lambda state, K, residual: state + K[0] * residual),
        "You move position and velocity by the same. K is a vector: K[1] times the residual is for the velocity.",
    ),
    Misconception(
        "away from the measurement",
        replace(RIGHT, moved=lambda state, K, residual: state - K * residual),
        "Your state moves away from the measurement: add K times (z − position), or subtract K times (position − z).",
    ),
    Misconception(
        "moved by K · z",
        replace(RIGHT, moved=lambda state, K, residual: state + K * (residual + state[0])),
        "You add K · z. The state moves by K times what is new in the measurement: z − position.",
    ),
    Misconception(
        "the state not updated",
        replace(RIGHT, moved=lambda state, K, residual: state),
        "You leave the state where it was predicted. Move it by K times (z − position).",
    ),
    Misconception(
        "the covariance not updated",
        replace(RIGHT, kept=lambda K, covariance, s: covariance),
        "You leave the covariance as predicted. A measurement makes it smaller: (I − K · [1, 0]) · covariance.",
    ),
    Misconception(
        "the outer product transposed",
        replace(RIGHT, kept=lambda K, covariance, s: (np.eye(2) - np.outer([1.0, 0.0], K)) @ covariance),
        "Your matrix K · [1, 0] is transposed: K is its first column. `np.outer(K, [1, 0])`.",
    ),
    Misconception(
        "rows for columns",
        replace(RIGHT, kept=lambda K, covariance, s: covariance @ (np.eye(2) - np.outer(K, [1.0, 0.0]))),
        "You multiply the covariance from the right. Matrices do not commute: (I − K · [1, 0]) stands on the left.",
    ),
    Misconception(
        "multiplied by 1 − K",
        replace(RIGHT, kept=lambda K, covariance, s: (1 - K) * covariance),
        "(1 − K) · covariance multiplies column by column. I − K · [1, 0] is a matrix: `np.eye(2) - np.outer(K, [1, "
        "0])`, with `@`.",
    ),
    Misconception(
        "multiplied by 1 − K[0]",
        replace(RIGHT, kept=lambda K, covariance, s: (1 - K[0]) * covariance),
        "You shrink all of the covariance by the same. I − K · [1, 0] is a matrix: `np.eye(2) - np.outer(K, [1, 0])`, "
        "with `@`.",
    ),
    Misconception(
        "`*` for `@` in the update",
        replace(RIGHT, kept=lambda K, covariance, s: (np.eye(2) - np.outer(K, [1.0, 0.0])) * covariance),
        "`*` multiplies number by number. Matrices are multiplied with `@`.",
    ),
    Misconception(
        "`*` for `@` in the prediction",
        replace(RIGHT, grown=lambda F, covariance: F * covariance * F.T),
        "`*` multiplies number by number. Matrices are multiplied with `@`: F @ covariance @ F.T.",
    ),
    Misconception(
        "Joseph's form without the measurement",
        replace(RIGHT, kept=joseph_without_noise),
        "Between (I − K · [1, 0]) and its transpose one more term is due: s² times the outer product of K with "
        "itself. Or take the short form, (I − K · [1, 0]) · covariance.",
    ),
    Misconception(
        "Joseph's form with s",
        replace(RIGHT, kept=joseph_with_std),
        "In the second term s has to be squared: s² times the outer product of K with itself.",
    ),
    Misconception(
        "F only from the left",
        replace(RIGHT, grown=lambda F, covariance: F @ covariance),
        "You multiply the covariance by F once. It needs it on both sides: F @ covariance @ F.T.",
    ),
    Misconception(
        "F not transposed",
        replace(RIGHT, grown=lambda F, covariance: F @ covariance @ F),
        "The F on the right has to be transposed: F @ covariance @ F.T.",
    ),
    Misconception(
        "the wrong F transposed",
        replace(RIGHT, grown=lambda F, covariance: F.T @ covariance @ F),
        "The F on the left is transposed in place of the one on the right: F @ covariance @ F.T.",
    ),
    Misconception(
        "F left out of the covariance",
        replace(RIGHT, grown=lambda F, covariance: covariance),
        "You add Q but leave F out. An unsure velocity makes the position less sure: F @ covariance @ F.T + Q.",
    ),
    Misconception(
        "F upside down",
        replace(RIGHT, transition=lambda t: constant_velocity(t).T),
        "Your F has t in its lower left, so the position changes the velocity. It is [[1, t], [0, 1]].",
    ),
    Misconception(
        "t left out of F",
        replace(RIGHT, transition=lambda t: constant_velocity(1.0)),
        "Your F is [[1, 1], [0, 1]], right for intervals of a second. It is [[1, t], [0, 1]].",
    ),
    Misconception(
        "the state not predicted",
        replace(RIGHT, of_state=lambda t: np.eye(2)),
        "You predict the covariance, but the state stays. The position grows by velocity · t: F @ state.",
    ),
    Misconception(
        "Q with t² for the velocity",
        replace(RIGHT, noise=lambda t, d: d**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t**2]])),
        "The last number of your Q is t². The variance that white acceleration adds to the velocity grows with t "
        "itself.",
    ),
    Misconception(
        "Q times t",
        replace(RIGHT, noise=lambda t, d: t * white_noise(t, d)),
        "You multiply Q by t once more. The powers of t stand in its numbers already: d² · [[t³/3, t²/2], [t²/2, t]].",
    ),
    Misconception(
        "Q of zero for the velocity",
        replace(RIGHT, noise=lambda t, d: white_noise(t, d) * np.array([[1.0, 1.0], [1.0, 0.0]])),
        "Your Q adds nothing to the velocity's variance: its last number is d² · t.",
    ),
    Misconception(
        "K taken off the identity without [1, 0]",
        replace(RIGHT, kept=lambda K, covariance, s: (np.eye(2) - K) @ covariance),
        "`np.eye(2) - K` subtracts K from each row. K · [1, 0] is a matrix, with K in its first column: `np.outer(K, "
        "[1, 0])`.",
    ),
    Misconception(
        "the velocity taken for what is measured",
        replace(RIGHT, kept=lambda K, covariance, s: (np.eye(2) - np.outer(K, [0.0, 1.0])) @ covariance),
        "Your matrix is K · [0, 1], as if the velocity were measured. Position comes first: K · [1, 0].",
    ),
)


def _with_and_without_nan(mistake: Misconception) -> tuple[Misconception, Misconception]:
    """Return the mistake in an answer that looks for NaN, and in one that does not, so that all becomes NaN."""
    assert isinstance(mistake.wrong, Step)
    raw = f"{mistake.name}, NaN not looked for"
    hint = f"{mistake.hint} Then predict only where z is NaN."
    return mistake, Misconception(raw, replace(mistake.wrong, is_missing=lambda z: False), hint)


MISTAKES = (*_ONCE, *(each for mistake in _TWICE for each in _with_and_without_nan(mistake)))
