"""Wrong answers to exercise 06.7: each changes one part of the right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.signal import sosfilt

Array = np.ndarray
Coefficients = tuple[float, float, float, float, float]  # b0, b1, b2, a1, a2
Step = Callable[[Coefficients, float, float, float], tuple[float, float, float]]


def right_read(section: Array) -> Coefficients:
    """Return b0, b1, b2, a1 and a2 of a section."""
    b0, b1, b2, _, a1, a2 = (float(number) for number in section)
    return b0, b1, b2, a1, a2


def right_step(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
    """Return y and the new s1 and s2."""
    b0, b1, b2, a1, a2 = c
    y = b0 * x + s1
    return y, b1 * x - a1 * y + s2, b2 * x - a2 * y


def answer(
    step: Step = right_step,
    read: Callable[[Array], Coefficients] = right_read,
    begin: Callable[[Array, Array], Any] = lambda state, x: state,
    result: Callable[[Array, Array, Array], Any] = lambda y, after, before: (y, after),
) -> Callable[[Array, Array, Array], Any]:
    """Return an answer that is right but for the parts given; `result` gets the state from before, too."""

    def biquad(section: Array, x: Array, state: Array) -> Any:
        c = read(section)
        s1, s2 = begin(state, x)
        y = np.empty(len(x))
        for n, sample in enumerate(x):
            y[n], s1, s2 = step(c, float(sample), s1, s2)
        return result(y, np.array([s1, s2], np.float64), state)

    return biquad


right = answer()


# One step


def new_s1_first(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
    """Take the new s2 for s1."""
    b0, b1, b2, a1, a2 = c
    y = b0 * x + s1
    s2 = b2 * x - a2 * y
    return y, b1 * x - a1 * y + s2, s2


def signs(first: int, second: int) -> Step:
    """Return the step with a1 and a2 times these."""

    def step(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
        b0, b1, b2, a1, a2 = c
        return right_step((b0, b1, b2, first * a1, second * a2), x, s1, s2)

    return step


def feeds_back_x(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
    """Multiply a1 and a2 with the input."""
    b0, b1, b2, a1, a2 = c
    return b0 * x + s1, b1 * x - a1 * x + s2, b2 * x - a2 * x


def output_last(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
    """Take the new s1 for the output."""
    _, s1, s2 = right_step(c, x, s1, s2)
    return c[0] * x + s1, s1, s2


def without_s2(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
    """Leave s2 out of s1."""
    y, after, s2 = right_step(c, x, s1, 0.0)
    return y, after, s2


def s2_stays(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
    """Never renew s2."""
    y, s1, _ = right_step(c, x, s1, s2)
    return y, s1, s2


def s2_added_up(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
    """Add to the old s2."""
    y, s1, after = right_step(c, x, s1, s2)
    return y, s1, after + s2


def s1_added_up(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
    """Add to the old s1."""
    y, after, s2 = right_step(c, x, s1, s2)
    return y, after + s1, s2


def without_feedback(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
    """Leave a1 and a2 out."""
    return right_step((*c[:3], 0.0, 0.0), x, s1, s2)


def without_s1(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
    """Leave s1 out of the output."""
    b0, b1, b2, a1, a2 = c
    y = b0 * x
    return y, b1 * x - a1 * y + s2, b2 * x - a2 * y


def from_s2(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
    """Take s2 for the output."""
    b0, b1, b2, a1, a2 = c
    y = b0 * x + s2
    return y, b1 * x - a1 * y + s2, b2 * x - a2 * y


def not_transposed(c: Coefficients, x: float, s1: float, s2: float) -> tuple[float, float, float]:
    """Direct form II, whose state holds past values of an inner signal."""
    b0, b1, b2, a1, a2 = c
    w = x - a1 * s1 - a2 * s2
    return b0 * w + b1 * s1 + b2 * s2, w, s1


def output_before() -> Callable[[Array, Array, Array], Any]:
    """Return an answer that feeds back the output of the sample before."""

    def biquad(section: Array, x: Array, state: Array) -> Any:
        b0, b1, b2, a1, a2 = right_read(section)
        (s1, s2), y = state, np.zeros(len(x))
        for n, sample in enumerate(x):
            before = y[n - 1] if n else 0.0
            y[n] = b0 * sample + s1
            s1, s2 = b1 * sample - a1 * before + s2, b2 * sample - a2 * before
        return y, np.array([s1, s2])

    return biquad


# The section


def a_first(section: Array) -> Coefficients:
    """Read a0, a1, a2 first."""
    _, a1, a2, b0, b1, b2 = (float(number) for number in section)
    return b0, b1, b2, a1, a2


def a0_for_a1(section: Array) -> Coefficients:
    """Take the fourth number for a1."""
    b0, b1, b2, a0, a1, _ = (float(number) for number in section)
    return b0, b1, b2, a0, a1


def exchanged(first: int, second: int) -> Callable[[Array], Coefficients]:
    """Return what reads a section with two numbers exchanged."""

    def read(section: Array) -> Coefficients:
        order = list(range(6))
        order[first], order[second] = second, first
        return right_read(section[order])

    return read


# The state, and what is returned


def state_in_place(section: Array, x: Array, state: Array) -> Any:
    """Write over the state."""
    y, after = right(section, x, state)
    state[:] = after
    return y, state


def overwritten(section: Array, x: Array, state: Array) -> Any:
    """Write over a sample before it has been used."""
    b0, b1, b2, a1, a2 = right_read(section)
    s1, s2 = state
    for n in range(len(x)):
        x[n] = b0 * x[n] + s1
        s1 = b1 * x[n] - a1 * x[n] + s2
        s2 = b2 * x[n] - a2 * x[n]
    return x, np.array([s1, s2], np.float64)


def of_samples_dtype(*, sign: int = 1, s2_first: bool = False, stored: bool = True) -> Callable[[Array, Array, Array], Any]:
    """Return an answer whose output has the samples' dtype; stored: it feeds back what is stored there."""

    def biquad(section: Array, x: Array, state: Array) -> Any:
        b0, b1, b2, a1, a2 = right_read(section)
        (s1, s2), y = state, np.empty_like(x)
        for n, sample in enumerate(x.tolist()):
            out = b0 * sample + s1
            y[n] = out
            fed = sign * (float(y[n]) if stored else out)
            after = b2 * sample - a2 * fed
            s1, s2 = b1 * sample - a1 * fed + (after if s2_first else s2), after
        return y, np.array([s1, s2])

    return biquad


def returns_in_the_loop(section: Array, x: Array, state: Array) -> Any:
    """Return after the first sample."""
    y = np.zeros(len(x))
    for n, sample in enumerate(x):
        y[n], s1, s2 = right_step(right_read(section), float(sample), *state)
        return y, np.array([s1, s2])
    return y, state


def all_but_the_last(section: Array, x: Array, state: Array) -> Any:
    """End the loop one sample early."""
    y, after = right(section, x[:-1], state)
    return np.concatenate([y, np.zeros(min(len(x), 1))]), after


def needs_a_sample(section: Array, x: Array, state: Array) -> Any:
    """Set what is returned inside of the loop."""
    if len(x) == 0:
        raise UnboundLocalError("cannot access local variable 's1'")
    return right(section, x, state)


def refuses_empty(section: Array, x: Array, state: Array) -> Any:
    """Leave an empty chunk to sosfilt."""
    y, after = sosfilt([section], x, zi=np.asarray(state, np.float64)[np.newaxis])
    return y, after[0]


def state_with_an_axis(section: Array, x: Array, state: Array) -> Any:
    """Return the state as sosfilt does."""
    y, after = right(section, x, state)
    return y, after[np.newaxis]


def none_for_empty(section: Array, x: Array, state: Array) -> Any:
    """Return nothing for an empty chunk."""
    return right(section, x, state) if len(x) else None


def no_state_for_empty(section: Array, x: Array, state: Array) -> Any:
    """Return zeros after an empty chunk."""
    return right(section, x, state if len(x) else np.zeros(2))


def without_loop(section: Array, x: Array, state: Array) -> Any:
    """All samples at once, each with the state of the chunk's start."""
    b0, b1, b2, a1, a2 = right_read(section)
    y = b0 * x + state[0]
    return y, np.array([b1 * x - a1 * y + state[1], b2 * x - a2 * y])


def without_loop_last_state(section: Array, x: Array, state: Array) -> Any:
    """Return the last of the states that this gives."""
    y, states = without_loop(section, x, state)
    return y, states[:, -1] if len(x) else state


def all_states(section: Array, x: Array, state: Array) -> Any:
    """Return the state after each sample."""
    states = []
    y, (s1, s2) = np.empty(len(x)), state
    for n, sample in enumerate(x):
        y[n], s1, s2 = right_step(right_read(section), float(sample), s1, s2)
        states.append((s1, s2))
    return y, np.array(states).reshape(-1, 2)


def settled(state: Array, x: Array) -> Array:
    """Scale the state by the first sample, as SciPy's examples do with lfilter_zi."""
    return np.asarray(state * x[0]) if len(x) else state
