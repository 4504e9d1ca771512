"""Lab 01: its predictions and its quiz."""

from __future__ import annotations

from pocketlab.course.exercise import Option, Question

PREDICTIONS = (
    Question(
        "01.P1",
        "The network computes in float32. You convert it to .mlpackage without any option about precision. "
        "In which type are its weights stored?",
        (
            Option(
                "float32, as in PyTorch",
                "That was so for the older format. An ML program computes in float16 unless told otherwise.",
            ),
            Option(
                "float16",
                "The Neural Engine computes in float16, so this is the default for an ML program.",
                correct=True,
            ),
            Option("int8", "Quantizing loses accuracy that somebody has to measure, so no converter does it unasked."),
        ),
    ),
    Question(
        "01.P2",
        "For int8 activations the converter watches the model on sample inputs. Somebody feeds it raw pixels from "
        "0 to 255, while the app "
        "feeds normalized values. What becomes of the accuracy?",
        (
            Option(
                "Nothing: the weights are the same.",
                "The weights are. The ranges of all activations are learned from the samples.",
            ),
            Option(
                "It falls by a point or two.",
                "A slightly wrong range costs that much. Here the range is wrong by a factor of about a hundred.",
            ),
            Option(
                "It falls to little better than guessing.",
                "Real inputs use a hundredth of the range that was learned: only a few of 256 integers.",
                correct=True,
            ),
            Option(
                "The conversion fails with an error.",
                "The converter cannot know what your inputs look like. That is why this mistake ships.",
            ),
        ),
    ),
    Question(
        "01.P3",
        "XNNPACK is LiteRT's set of fast CPU kernels. You switch it off and run the same float model again. What "
        "happens?",
        (
            Option(
                "The results change visibly.",
                "Both compute the same sums; only their order differs, which moves the last digits.",
            ),
            Option(
                "It is slower, with the same results.",
                "LiteRT's own kernels take over, correct and less optimized.",
                correct=True,
            ),
            Option(
                "It does not run.",
                "A delegate only takes operators over. Without it, LiteRT's own kernels do all of them.",
            ),
        ),
    ),
    Question(
        "01.P4",
        "A delegate computes five times as fast as the CPU. It takes every operator of a model but every third "
        "one. Is the model faster with it?",
        (
            Option(
                "Yes, nearly five times.",
                "Only if it took all of them. What stays on the CPU, and the copies in between, count too.",
            ),
            Option(
                "Yes, though less than five times.",
                "It can be, if copying is cheap. Nobody told you what a copy costs.",
            ),
            Option(
                "That depends on the copies.",
                "Each piece costs a copy in and a copy out; these can cost more than the delegate saves.",
                correct=True,
            ),
        ),
    ),
)

QUIZ = (
    Question(
        "01.Q1",
        'Core ML is told compute_units="all". Which operators run on the Neural Engine?',
        (
            Option("All of them.", "Some operators it cannot take; Core ML splits the model."),
            Option(
                "Those that Core ML chooses to put there.",
                "The setting is a limit. Core ML decides within it, and its compute plan, on a Mac, says how.",
                correct=True,
            ),
            Option(
                "Those marked in the .mlpackage.",
                "A package holds no placement. The device decides when it loads the model.",
            ),
        ),
    ),
    Question(
        "01.Q2",
        "A model is said to take 3 ms. What is missing from that sentence?",
        (
            Option(
                "Nothing, if it was measured.",
                "A single figure says neither which calls nor which model: a wrong answer is quick as well.",
            ),
            Option(
                "The percentile, the accuracy, and the device with its threads.",
                "MLPerf quotes the 90th percentile of a model that reaches a stated accuracy, on a stated device.",
                correct=True,
            ),
            Option("The fastest call.", "It is the figure of a call that a user hardly ever sees."),
        ),
    ),
    Question(
        "01.Q3",
        "Why does an activation's range always hold 0?",
        (
            Option(
                "So that 0 has an integer of its own.",
                "Padding and every ReLU give 0 all the time. If 0 fell between two integers, each would bring an "
                "error.",
                correct=True,
            ),
            Option(
                "Because int8 holds 0.",
                "int8's 0 may stand for any real value. It is the zero point that says for which.",
            ),
            Option(
                "Because activations are never negative.",
                "Those after a ReLU are not; others are, and their range holds 0 as well.",
            ),
        ),
    ),
    Question(
        "01.Q4",
        "An Android app still uses the NNAPI delegate. What should become of it?",
        (
            Option(
                "Keep it: NNAPI reaches every accelerator.",
                "Android 15 deprecated NNAPI. Drivers are no longer developed, and fewer operators go through.",
            ),
            Option(
                "Move to LiteRT's own accelerators.",
                "LiteRT reaches GPUs by its GPU accelerator and NPUs by the makers' own plugins, with XNNPACK for "
                "the CPU.",
                correct=True,
            ),
            Option(
                "Move to the CPU only.",
                "That always works and is the fallback. For large models it gives away speed and battery.",
            ),
        ),
    ),
)
