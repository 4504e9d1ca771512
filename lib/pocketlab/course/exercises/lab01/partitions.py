"""Exercise 01.7: how many partitions a delegate gets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pocketlab.course.exercise import EXACT, Case, Exercise, Misconception
from pocketlab.runtimes.delegates import count_partitions


def _partition_cases(rng: np.random.Generator) -> list[Case]:
    random = [Case("a long model", ((rng.random(n) < 0.6).tolist(),)) for n in (17, 30, 51)]
    return [
        Case("one gap", ([True, True, False, True, True],)),
        Case("two gaps", ([True, False, True, True, False, False, True],)),
        *random,
        Case("the first operator stays on the CPU", ([False, True, True, True],)),
        Case("the last operator stays on the CPU", ([True, True, False],)),
        Case("both ends stay on the CPU", ([False, True, False, True, False],)),
        Case("all supported", ([True] * 6,)),
        Case("none supported", ([False] * 4,)),
        Case("one operator", ([True],)),
        Case("an empty model", ([],)),
    ]


def _switches(supported: Sequence[bool]) -> int:
    return sum(a != b for a, b in pairwise(supported))


PARTITIONS = Exercise(
    id="01.7",
    title="how many partitions a delegate gets",
    reference=count_partitions,
    cases=_partition_cases,
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "operators counted",
            lambda supported: sum(supported),
            "You count the supported operators. Neighbors form one partition: count the runs of them.",
        ),
        Misconception(
            "unsupported operators counted",
            lambda supported: len(supported) - sum(supported),
            "You count the operators that stay on the CPU. Count the runs of those that the delegate takes.",
        ),
        Misconception(
            "switches counted",
            _switches,
            "You count every change between CPU and delegate, both ways. A partition begins where a supported "
            "operator follows "
            "an unsupported one, or stands first.",
        ),
        Misconception(
            "all runs counted",
            lambda supported: _switches(supported) + bool(supported),
            "You count the CPU's runs too. Count only those that the delegate takes.",
        ),
        Misconception(
            "CPU runs counted",
            lambda supported: sum(not now and (i == 0 or supported[i - 1]) for i, now in enumerate(supported)),
            "You count the runs that stay on the CPU. Count those that the delegate takes.",
        ),
        Misconception(
            "a run at the beginning missed",
            lambda supported: sum(now and not before for before, now in pairwise(supported)),
            "You miss a run that begins with the first operator: it has no unsupported one before it.",
        ),
        Misconception(
            "a run at the end missed",
            lambda supported: sum(before and not now for before, now in pairwise(supported)),
            "You miss a run that reaches the last operator: it has no unsupported one after it.",
        ),
        Misconception(
            "one more than the gaps",
            lambda supported: sum(not now and (i == 0 or supported[i - 1]) for i, now in enumerate(supported)) + 1,
            "You count the gaps and add one. A gap at the beginning or at the end separates nothing.",
        ),
        Misconception(
            "one more than the unsupported operators",
            lambda supported: len(supported) - sum(supported) + 1,
            "You count the unsupported operators and add one. Two of them side by side make one gap, and one at "
            "an end makes none.",
        ),
        Misconception(
            "the longest run",
            lambda supported: max(
                (len(run) for run in "".join("x" if s else " " for s in supported).split()), default=0
            ),
            "You return the length of the longest run. Count how many runs there are.",
        ),
        Misconception(
            "yes or no",
            lambda supported: int(any(supported)),
            "You return 1 as soon as the delegate takes anything. An unsupported operator in between splits its "
            "part in two.",
        ),
        Misconception(
            "runs of at least two",
            lambda supported: sum(len(run) > 1 for run in "".join("x" if s else " " for s in supported).split()),
            "You leave out runs of a single operator. A single one is a partition too (whether it pays is another "
            "question).",
        ),
        Misconception(
            "half of the switches",
            lambda supported: _switches(supported) // 2,
            "You halve the number of changes. At the ends of a model a run has a change on one side only.",
        ),
        Misconception(
            "the one before the first",
            lambda supported: sum(now and not supported[i - 1] for i, now in enumerate(supported)),
            "You look at `supported[i - 1]` for i = 0 too, and that is the last operator: a run at the beginning "
            "is lost where the "
            "last operator is supported as well.",
        ),
        Misconception(
            "half of the switches and one",
            lambda supported: _switches(supported) // 2 + 1,
            "Half the changes plus one is right only where the model begins and ends on the delegate.",
        ),
        Misconception(
            "half of the runs",
            lambda supported: (_switches(supported) + bool(supported) + 1) // 2,
            "You halve the number of runs, rounded up. That is right only if the model begins with a supported "
            "operator. Count the "
            "supported runs.",
        ),
        Misconception(
            "returned too early",
            lambda supported: int(bool(supported) and supported[0]),
            "Your result depends on the first operator only. Is `return` inside of the loop?",
        ),
        Misconception(
            "fails on an empty model",
            lambda supported: int(supported[0]) + sum(now and not before for before, now in pairwise(supported)),
            "Right, except that an empty model raises an error. It has no partition: return 0.",
        ),
    ),
)
