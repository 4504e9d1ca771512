"""Exercise 01.8: the operators to register."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from pocketlab.course.exercise import EXACT, Case, Exercise, Misconception
from pocketlab.runtimes.registration import version_ranges


def _registration_cases(rng: np.random.Generator) -> list[Case]:
    names = ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN", "SOFTMAX", "ADD", "RESHAPE", "QUANTIZE"]

    def random(count: int) -> tuple[list[tuple[str, int]]]:
        return ([(names[int(i)], int(rng.integers(1, 7))) for i in rng.integers(0, len(names), count)],)

    return [
        Case("each operator once", ([("CONV_2D", 3), ("MEAN", 1), ("SOFTMAX", 2)],)),
        Case("an operator used again", ([("CONV_2D", 3), ("ADD", 1), ("CONV_2D", 3)],)),
        Case("an operator in two versions", ([("CONV_2D", 1), ("CONV_2D", 5), ("ADD", 2)],)),
        Case("an operator in several versions", ([("CONV_2D", 3), ("CONV_2D", 6), ("CONV_2D", 1), ("CONV_2D", 2)],)),
        Case("an operator in two versions", ([("MEAN", 4), ("ADD", 1), ("MEAN", 2)],)),
        Case("a long model", random(20)),
        Case("a long model", random(40)),
        Case("an empty model", ([],)),
    ]


def _grouped(uses: Sequence[tuple[str, int]]) -> dict[str, list[int]]:
    versions: dict[str, list[int]] = {}
    for name, version in uses:
        versions.setdefault(name, []).append(version)
    return versions


def _by_operator(function: Any) -> Any:
    return lambda uses: {name: function(versions) for name, versions in _grouped(uses).items()}


def _either_lowest_or_highest(versions: list[int]) -> tuple[float, int]:
    low, high = float("inf"), 0
    for version in versions:
        if version < low:
            low = version
        elif version > high:
            high = version
    return low, high


REGISTRATION = Exercise(
    id="01.8",
    title="the operators to register",
    reference=version_ranges,
    cases=_registration_cases,
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "the last version",
            _by_operator(lambda v: (v[-1], v[-1])),
            "You keep the version of the last use. A model may hold one operator in several versions: keep the "
            "lowest and the highest.",
        ),
        Misconception(
            "the first version",
            _by_operator(lambda v: (v[0], v[0])),
            "You keep the version of the first use. A model may hold one operator in several versions: keep the "
            "lowest and the highest.",
        ),
        Misconception(
            "first and last version",
            _by_operator(lambda v: (v[0], v[-1])),
            "You keep the first and the last version in the order of use. Keep the lowest and the highest.",
        ),
        Misconception(
            "only the highest version",
            _by_operator(max),
            "You keep one number for each operator. The resolver registers a range: (lowest, highest).",
        ),
        Misconception(
            "only the lowest version",
            _by_operator(min),
            "You keep one number for each operator. The resolver registers a range: (lowest, highest).",
        ),
        Misconception(
            "the highest version twice",
            _by_operator(lambda v: (max(v), max(v))),
            "You register the highest version only, so the runtime refuses nodes of a lower one. Keep the lowest too.",
        ),
        Misconception(
            "from version 1",
            _by_operator(lambda v: (1, max(v))),
            "You begin every range at 1. Registering versions that no node uses brings code that the model never runs.",
        ),
        Misconception(
            "highest first",
            _by_operator(lambda v: (max(v), min(v))),
            "Your ranges are (highest, lowest). The resolver takes the lowest first.",
        ),
        Misconception(
            "grouped without sorting",
            lambda uses: {
                name: (min(v), max(v))
                for name, v in (
                    (n, [version for _, version in rows]) for n, rows in groupby(uses, key=lambda use: use[0])
                )
            },
            "You look at uses that stand side by side only (itertools.groupby needs sorted input), and a later "
            "group takes the "
            "place of an earlier one.",
        ),
        Misconception(
            "started from 0",
            _by_operator(lambda v: (0, max(v))),
            "Your lowest version is always 0. Start from the first version that you meet, not from 0.",
        ),
        Misconception(
            "the first is not looked at as the highest",
            _by_operator(_either_lowest_or_highest),
            "A version that is the lowest so far is never looked at as the highest (`elif`). The first one of a "
            "name is both: use "
            "two ifs, or min and max.",
        ),
        Misconception(
            "the end of a Python range",
            _by_operator(lambda v: (min(v), max(v) + 1)),
            "Your highest version is one too large, like the end of a Python range. The pair holds the highest "
            "version itself.",
        ),
        Misconception(
            "one range for all",
            lambda uses: {name: (min(v for _, v in uses), max(v for _, v in uses)) for name in _grouped(uses)},
            "Every operator gets the range of all of them. Keep lowest and highest for each name by itself.",
        ),
        Misconception(
            "the highest never raised",
            _by_operator(lambda v: (min(v), v[0])),
            "Your highest version stays that of the first use. A later use may have a higher one.",
        ),
        Misconception(
            "the lowest never lowered",
            _by_operator(lambda v: (v[0], max(v))),
            "Your lowest version stays that of the first use. A later use may have a lower one.",
        ),
        Misconception(
            "uses counted",
            lambda uses: {name: len(versions) for name, versions in _grouped(uses).items()},
            "You count how often an operator is used. For registering it once is enough; what counts are its versions.",
        ),
        Misconception(
            "all versions listed",
            _by_operator(lambda v: tuple(v)),
            "You list the version of every use. The resolver takes a range: (lowest, highest).",
        ),
        Misconception(
            "distinct versions listed",
            _by_operator(lambda v: tuple(sorted(set(v)))),
            "You list the distinct versions. The resolver takes a range: (lowest, highest), also where both are "
            "the same.",
        ),
        Misconception(
            "only names",
            lambda uses: tuple(sorted(_grouped(uses))),
            "You return names only. Each operator needs its range of versions: {name: (lowest, highest)}.",
        ),
        Misconception(
            "version before name",
            lambda uses: {version: (name, name) for name, version in uses},
            "Your keys are versions. Each use is (name, version): group by the name.",
        ),
        Misconception(
            "only operators used more than once",
            lambda uses: {name: (min(v), max(v)) for name, v in _grouped(uses).items() if len(v) > 1},
            "You leave out operators that are used once. The model needs every one of them.",
        ),
    ),
)
