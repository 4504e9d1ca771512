"""Exercise 13.10: the variants that no other one beats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pocketlab.compression.front import pareto_front
from pocketlab.course.exercise import EXACT, Case, Exercise, Misconception


def _front_cases(rng: np.random.Generator) -> list[Case]:
    duplicates = np.array([[1.0, 4.0], [3.0, 2.0], [1.0, 4.0], [5.0, 5.0], [5.0, 5.0], [3.0, 2.0]])
    falling = np.array([[1.0, 9.0], [2.0, 7.0], [3.0, 4.0], [5.0, 3.0], [8.0, 1.0]])
    close = np.array(
        [[1.0, 5.0], [1 + 2e-6, 5.0], [2.0, 1.0], [2.0, 1 + 2e-6], [1 - 2e-6, 5 + 2e-5]]
    )  # float32 tells them apart
    failed = np.array([[2.0, 3.0], [1.0, np.inf], [np.inf, 1.0], [4.0, np.inf], [3.0, 3.0]])
    return [
        Case("two measures", (np.array([[1.0, 5.0], [2.0, 3.0], [3.0, 4.0], [4.0, 1.0], [5.0, 2.0]]),)),
        Case("two measures", (rng.uniform(0, 10, (8, 2)),)),
        Case("two measures", (rng.uniform(0, 1, (15, 2)),)),
        Case("two measures", (rng.normal(0, 1, (12, 2)),)),
        Case("three measures", (rng.uniform(0, 10, (12, 3)),)),
        Case("three measures", (rng.uniform(0, 10, (20, 3)),)),
        Case("four measures", (rng.uniform(0, 10, (14, 4)),)),
        Case("as many variants as measures", (rng.uniform(0, 10, (3, 3)),)),
        Case("measures in different units", (rng.uniform(1, 2, (12, 3)) * [[465_000.0, 0.3, 0.02]],)),
        Case("equal in one measure", (np.array([[1.0, 3.0], [2.0, 2.0], [1.0, 4.0], [3.0, 2.0], [0.5, 4.0]]),)),
        Case("equal in many measures", (rng.integers(0, 4, (16, 3)).astype(float),)),
        Case("equal in many measures", (rng.integers(0, 3, (12, 2)).astype(float),)),
        Case("equal variants", (duplicates,)),
        Case("equal variants", (np.repeat(rng.uniform(0, 10, (5, 3)), 2, axis=0),)),
        Case("variants that are nearly equal", (close,)),
        Case("all variants equal", (np.full((4, 3), 2.0),)),
        Case("all on the front", (falling[[2, 0, 4, 1, 3]],)),
        Case(
            "a front that bends outwards", (np.array([[0.0, 10.0], [6.0, 7.0], [7.0, 6.0], [10.0, 0.0], [8.0, 8.0]]),)
        ),
        Case("one beats all others", (np.array([[3.0, 4.0], [1.0, 1.0], [2.0, 5.0], [6.0, 2.0]]),)),
        Case("beaten by a later one only", (falling[::-1] + np.array([[4.0], [3.0], [2.0], [1.0], [0.0]]),)),
        Case("one measure", (np.array([[4.0], [2.0], [7.0], [2.0], [3.0]]),)),
        Case("whole numbers", (rng.integers(10, 100, (10, 2)),)),
        Case("negative costs", (-rng.uniform(1, 10, (10, 2)),)),
        Case("a failed measurement, infinite", (failed,)),
        Case("a transposed array", (rng.uniform(0, 10, (3, 11)).T,)),
        Case("one variant", (np.array([[3.0, 1.0]]),)),
        Case("no variants", (np.zeros((0, 3)),)),
    ]


def _beaten(by: Callable[[np.ndarray, np.ndarray], bool]) -> Callable[[np.ndarray], np.ndarray]:
    """Variants that no *other* one beats, with another meaning of "beats"; by: (the other's costs, one's own)."""

    def front(costs: np.ndarray) -> np.ndarray:
        return np.array(
            [not any(by(o, own) for j, o in enumerate(costs) if j != i) for i, own in enumerate(costs)], bool
        )

    return front


def _beats(other: np.ndarray, own: np.ndarray) -> bool:
    return bool((other <= own).all() and (other < own).any())


def _itself_included(costs: np.ndarray) -> np.ndarray:
    return np.array([not any((other <= own).all() for other in costs) for own in costs], bool)


def _first_of_equal_ones(costs: np.ndarray) -> np.ndarray:
    front = pareto_front(costs)
    seen = [any((costs[j] == own).all() for j in range(i)) for i, own in enumerate(costs)]
    return front & ~np.array(seen, bool)


def _last_of_equal_ones(costs: np.ndarray) -> np.ndarray:
    return _first_of_equal_ones(costs[::-1])[::-1]


def _earlier_only(costs: np.ndarray) -> np.ndarray:
    return np.array([not any(_beats(other, own) for other in costs[:i]) for i, own in enumerate(costs)], bool)


def _later_only(costs: np.ndarray) -> np.ndarray:
    return _earlier_only(costs[::-1])[::-1]


def _neighbors_only(costs: np.ndarray) -> np.ndarray:
    return np.array(
        [not any(_beats(costs[j], own) for j in (i - 1, i + 1) if 0 <= j < len(costs)) for i, own in enumerate(costs)],
        bool,
    )


def _swept(costs: np.ndarray, *, in_place: bool = False) -> np.ndarray:
    """Sorted by the first measure, a variant is kept if the last one improves: for two measures nearly right."""
    order = np.argsort(costs[:, 0], kind="stable")
    front, best = np.zeros(len(costs), bool), np.inf
    for place, i in enumerate(order):
        if costs[i, -1] < best:
            front[place if in_place else i], best = True, costs[i, -1]
    return front


def _weighted_sums(costs: np.ndarray) -> np.ndarray:
    front = np.zeros(len(costs), bool)
    for weights in np.random.default_rng(0).dirichlet(np.ones(costs.shape[1]), 500):
        total = costs @ weights
        front |= total == total.min()
    return front


def _measures_for_variants(costs: np.ndarray) -> np.ndarray:
    return pareto_front(costs.T) if costs.size else np.ones(costs.shape[1], bool)


def _sorted_in_place(costs: np.ndarray) -> np.ndarray:
    front = pareto_front(costs)
    costs.sort(axis=0)
    return front


def _beats_clearly(other: np.ndarray, own: np.ndarray) -> bool:
    return _beats(other, own) and not np.allclose(other, own)


def _beats_in_two(other: np.ndarray, own: np.ndarray) -> bool:
    return bool(other[0] <= own[0] and other[1] <= own[1] and (other[0] < own[0] or other[1] < own[1]))


FRONT = Exercise(
    id="13.10",
    title="the variants that no other one beats",
    reference=pareto_front,
    cases=_front_cases,
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "more is better",
            lambda costs: pareto_front(-np.asarray(costs, float)),
            "You keep the variants that beat no other one, the worst. These are costs, and less is better: turn the "
            "comparisons around, or reduce your table of pairs along its other axis.",
        ),
        Misconception(
            "the beaten ones",
            lambda costs: ~pareto_front(costs),
            "You return the variants that are beaten. The front is all the others: `~beaten`.",
        ),
        Misconception(
            "beaten by itself",
            _itself_included,
            "Every variant is no worse than itself, so yours are all beaten. To beat another one a variant has to be "
            "better in at least one measure.",
        ),
        Misconception(
            "equal variants beat each other",
            _beaten(lambda other, own: bool((other <= own).all())),
            "Equal variants throw each other out. To beat another one a variant has to be better in at least one "
            "measure, not only no worse in all.",
        ),
        Misconception(
            "better in every measure",
            _beaten(lambda other, own: bool((other < own).all())),
            "You ask for a variant to be better in all measures. No worse in all and better in one is enough: same "
            "size but slower is beaten.",
        ),
        Misconception(
            "better in any measure",
            _beaten(lambda other, own: bool((other < own).any())),
            "A variant is out in yours as soon as another one is better in a single measure. It is beaten only if "
            "that one is also no worse in all the others.",
        ),
        Misconception(
            "no worse in any one measure",
            _beaten(lambda other, own: bool((other <= own).any())),
            "You use `any` where `all` is wanted: to beat another one, a variant must be no worse in all measures, "
            "and better in one.",
        ),
        Misconception(
            "better in most measures",
            _beaten(lambda other, own: bool((other < own).sum() > (other > own).sum())),
            "You count in how many measures a variant is better. One that is worse in a single measure does not beat "
            "another: somebody may need just that measure.",
        ),
        Misconception(
            "no worse in the first, better in the rest",
            _beaten(lambda other, own: bool(other[0] <= own[0] and (other[1:] < own[1:]).all() and _beats(other, own))),
            "You ask for the other measures than the first to be better each. No worse in all and better in any one "
            "is enough.",
        ),
        Misconception(
            "first of equal ones",
            _first_of_equal_ones,
            "Of equal variants you keep the first only. None beats another: all of them are on the front, or none.",
        ),
        Misconception(
            "last of equal ones",
            _last_of_equal_ones,
            "Of equal variants you keep the last only. None beats another: all of them are on the front, or none.",
        ),
        Misconception(
            "compared with earlier ones only",
            _earlier_only,
            "You compare a variant with those before it only. A later one may beat it as well: compare with all.",
        ),
        Misconception(
            "compared with later ones only",
            _later_only,
            "You compare a variant with those after it only. An earlier one may beat it as well: compare with all.",
        ),
        Misconception(
            "compared with neighbors only",
            _neighbors_only,
            "You compare a variant with its neighbors in the table only. Compare with all.",
        ),
        Misconception(
            "swept once",
            _swept,
            "You sort by the first measure and keep what improves the last one. Equal variants and more than two "
            "measures go wrong that way: compare all pairs.",
        ),
        Misconception(
            "in sorted order",
            lambda costs: pareto_front(costs)[np.argsort(costs[:, 0], kind="stable")],
            "Your values are in the order of the sorted variants. Each belongs to a row of `costs`: keep its order.",
        ),
        Misconception(
            "swept once, in sorted order",
            lambda costs: _swept(costs, in_place=True),
            "You sort by the first measure, and the result stays in the sorted order; equal variants and more than "
            "two measures go wrong too. Compare all pairs, in the order of the rows.",
        ),
        Misconception(
            "best in some measure",
            lambda costs: (costs == costs.min(axis=0)).any(axis=1),
            "You keep the variants that are best in some measure. A compromise that is best in none is on the front "
            "too, unless another one beats it.",
        ),
        Misconception(
            "best in every measure",
            lambda costs: (costs == costs.min(axis=0)).all(axis=1),
            "You keep a variant only if it is best in every measure at once. Such a one need not exist: keep all that "
            "none other beats.",
        ),
        Misconception(
            "lowest sum",
            lambda costs: costs.sum(axis=1) == costs.sum(axis=1).min(),
            "You add the measures up and keep the lowest sum. Bytes and milliseconds cannot be added: compare measure "
            "by measure.",
        ),
        Misconception(
            "weighted sums",
            _weighted_sums,
            "You keep what is best for some weighted sum. Where the front bends outwards, variants that nobody beats "
            "are best for no sum: compare pairs.",
        ),
        Misconception(
            "better than the mean somewhere",
            lambda costs: (costs < costs.mean(axis=0)).any(axis=1),
            "You compare with the mean of each measure. A variant is beaten by another variant: compare pairs.",
        ),
        Misconception(
            "the first two measures",
            _beaten(_beats_in_two),
            "You look at the first two measures only. Compare all of them: the last axis may have any length, even 1.",
        ),
        Misconception(
            "the first measure left out",
            lambda costs: pareto_front(costs[:, 1:]) if costs.shape[1] > 1 else np.ones(len(costs), bool),
            "You leave the first measure out. All columns are costs.",
        ),
        Misconception(
            "the last measure as accuracy",
            lambda costs: pareto_front(np.column_stack([costs[:, :-1], -costs[:, -1]])),
            "You take the last measure for one where more is better. All are costs: an error, not an accuracy.",
        ),
        Misconception(
            "beats at least one",
            lambda costs: np.array([any(_beats(own, other) for other in costs) for own in costs], bool),
            "You keep variants that beat some other one. A variant is on the front if no other one beats it, whether "
            "it beats any or not.",
        ),
        Misconception(
            "beats all others",
            lambda costs: np.array(
                [all(_beats(own, o) for j, o in enumerate(costs) if j != i) for i, own in enumerate(costs)]
            ),
            "You keep a variant only if it beats all others. It is enough that none of them beats it.",
        ),
        Misconception(
            "beaten twice",
            lambda costs: np.array([sum(_beats(other, own) for other in costs) < 2 for own in costs], bool),
            "Yours throws a variant out only if two others beat it. One is enough.",
        ),
        Misconception(
            "a margin",
            _beaten(_beats_clearly),
            "You let nearly equal variants stand side by side. Any difference counts, however small.",
        ),
        Misconception(
            "positions",
            lambda costs: np.flatnonzero(pareto_front(costs)),
            "You return the positions of the variants on the front. A bool for each variant is wanted: True on the "
            "front.",
        ),
        Misconception(
            "the rows themselves",
            lambda costs: costs[pareto_front(costs)],
            "You return the costs of the variants on the front. A bool for each variant is wanted: True on the front.",
        ),
        Misconception(
            "axes exchanged",
            _measures_for_variants,
            "You compare the measures with each other. Variants are the rows (axis 0); `all` and `any` run over the "
            "measures.",
        ),
        Misconception(
            "a table of pairs",
            lambda costs: ~((costs[:, None] <= costs).all(-1) & (costs[:, None] < costs).any(-1)),
            "You return which variant beats which, (variants, variants). Reduce it: a variant is out if any other "
            "beats it.",
        ),
        Misconception(
            "costs sorted",
            _sorted_in_place,
            "Your function sorts the caller's costs, column by column, so that rows mix. Use `np.sort` or "
            "`np.argsort`, which leave them as they are.",
        ),
        Misconception(
            "fails without variants",
            lambda costs: pareto_front(costs) & (costs.min() <= costs).any(axis=1),
            "Right, except that an empty table raises an error. Without variants the result is empty.",
        ),
    ),
)
