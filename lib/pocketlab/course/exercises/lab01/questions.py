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
        "For int8 activations the converter watches the model on a representative set. Somebody feeds it raw "
        "pixels from "
        "0 to 255, while the app "
        "feeds normalized values. What becomes of the accuracy?",
        (
            Option(
                "It rises: more values were seen.",
                "More values, but not those that the model will meet. What counts is that the set is like the "
                "app's inputs.",
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
                "It is slower, and the results agree to the last digits.",
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
        "A model has 12 operators; each takes 1 ms on the CPU and 0.2 ms on a delegate. The delegate takes all "
        "but four, which lie "
        "apart, so it gets five partitions. Each partition costs two copies of 1 ms. Is the model faster with the "
        "delegate?",
        (
            Option(
                "Yes, about five times.",
                "Only if the delegate took every operator and copies cost nothing.",
            ),
            Option(
                "Yes, about twice.",
                "That leaves out the copies: 4 · 1 + 8 · 0.2 = 5.6 ms is what computing alone takes.",
            ),
            Option(
                "No, it is slower.",
                "4 · 1 + 8 · 0.2 + 10 · 1 = 15.6 ms, against 12 ms on the CPU alone. The ten copies cost more "
                "than the delegate saves.",
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
                "Only the device can tell.",
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
                "The percentile and the number of calls.",
                "These belong to it, and still nobody knows whether the model was right, or on which device it ran.",
            ),
            Option(
                "The percentile, the accuracy and the device.",
                "MLPerf quotes the 90th percentile of a model that reaches a stated accuracy, on a stated device.",
                correct=True,
            ),
            Option(
                "The fastest and the slowest call.", "Both are single events. A percentile says what most users meet."
            ),
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
                "Android 15 deprecated NNAPI, and Google's migration guide sends its users to LiteRT.",
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
