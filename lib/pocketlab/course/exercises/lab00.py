"""Lab 00: one toy exercise, one prediction and one question, to show how the course works."""

from __future__ import annotations

import math

import numpy as np

from pocketlab.compression.quantization import model_megabytes
from pocketlab.course.exercise import Case, Exercise, LabContent, Misconception, Option, Question, Tolerance


def _cases(_: np.random.Generator) -> list[Case]:
    return [
        Case("8 bits", (1_000_000, 8)),
        Case("32 bits", (7_000_000_000, 32)),
        Case("16 bits", (3_500_000, 16)),
        Case("4 bits", (7_000_000_000, 4)),
        Case("4 bits", (1_250_001, 4)),
        Case("fewer than 8 bits", (9_034, 2)),
        Case("fewer than 8 bits", (12_345_677, 3)),
        Case("no parameters", (0, 8)),
    ]


MEGABYTES = Exercise(
    id="00.1",
    title="how many megabytes a model takes",
    reference=model_megabytes,
    cases=_cases,
    tolerance=Tolerance(
        1e-12, 0.0, "A product and two quotients in float64 round three times, by at most 1.1e-16 each."
    ),
    misconceptions=(
        Misconception(
            "bits taken for bytes",
            lambda parameters, bits: parameters * bits / 1e6,
            "Your result is 8 times too large: bits counted as if each were a byte. Eight bits make one byte.",
        ),
        Misconception(
            "mebibytes",
            lambda parameters, bits: parameters * bits / 8 / 2**20,
            "You divide by 1,048,576 (2²⁰), which gives mebibytes (MiB). A megabyte (MB) is 1,000,000 bytes.",
        ),
        Misconception(
            "bits ignored",
            lambda parameters, bits: parameters * 4 / 1e6,
            "Your result does not change with `bits`: it counts 4 bytes for every parameter, as float32 does.",
        ),
        Misconception(
            "one byte each",
            lambda parameters, bits: parameters / 1e6,
            "Your result does not change with `bits`: it counts one byte for every parameter.",
        ),
        Misconception(
            "kilobytes",
            lambda parameters, bits: parameters * bits / 8 / 1e3,
            "Your result is 1,000 times too large: these are kilobytes. A megabyte is 1,000,000 bytes.",
        ),
        Misconception(
            "bytes",
            lambda parameters, bits: parameters * bits / 8,
            "Your result is in bytes. Divide by 1,000,000 to get megabytes.",
        ),
        Misconception(
            "whole bytes per parameter",
            lambda parameters, bits: parameters * (bits // 8) / 1e6,
            "`bits // 8` drops what is left over, so 4 bits become 0 bytes. Divide with `/`.",
        ),
        Misconception(
            "rounded up to whole bytes",
            lambda parameters, bits: parameters * math.ceil(bits / 8) / 1e6,
            "You round each parameter up to whole bytes. Two values of 4 bits share a byte, so do not round.",
        ),
        Misconception(
            "whole megabytes",
            lambda parameters, bits: parameters * bits // 8 // 10**6,
            "`//` drops the part after the point. A small model takes a part of a megabyte: divide with `/`.",
        ),
        Misconception(
            "gigabytes",
            lambda parameters, bits: parameters * bits / 8 / 1e9,
            "Your result is 1,000 times too small: these are gigabytes. A megabyte is 1,000,000 bytes.",
        ),
        Misconception(
            "megabits",
            lambda parameters, bits: parameters * 8 / bits / 1e6,
            "You multiply by 8 and divide by `bits`; it is the other way round: more bits make a larger file.",
        ),
    ),
)

CONTENT = LabContent(
    exercises=(MEGABYTES,),
    predictions=(
        Question(
            "00.P1",
            "A language model has 7 billion parameters. How much space do they take at 4 bits each?",
            (
                Option("About 0.9 GB", "That is 1 bit each: 7 billion bits are 0.875 GB."),
                Option(
                    "About 3.5 GB", "4 bits are half a byte, and 7 billion halves are 3.5 billion bytes.", correct=True
                ),
                Option("About 7 GB", "That is one byte each, which is 8 bits."),
                Option("About 28 GB", "That is 4 bytes each, the size of float32: 32 bits, not 4."),
            ),
        ),
    ),
    quiz=(
        Question(
            "00.Q1",
            "A check says: not yet. What happens to the rest of the lab?",
            (
                Option(
                    "Nothing runs until the exercise passes.",
                    "The check never stops a lab: no cell below it is blocked.",
                ),
                Option(
                    "It goes on with the library's function in place of yours.",
                    "So you can read on, look at the results, and come back to the exercise later.",
                    correct=True,
                ),
                Option(
                    "It goes on with your function, and its mistake spreads.",
                    "That would hide where a wrong figure comes from, so the check hands back the library's function.",
                ),
            ),
        ),
    ),
)
