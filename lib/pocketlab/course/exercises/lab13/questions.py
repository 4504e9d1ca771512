"""Lab 13: its predictions and its quiz."""

from __future__ import annotations

from pocketlab.course.exercise import Option, Question

PREDICTIONS = (
    Question(
        "13.P1",
        "You round the weights of every layer to one grid for the whole layer and train nothing again. At how many bits does "
        "the network break, losing more than ten points?",
        (
            Option(
                "At 6 bits: four times the error of 8 bits",
                "At 6 bits the error is a twentieth of the weights in size, or less. A classifier lives with that.",
            ),
            Option(
                "At 3 bits",
                "Seven values, the outermost of which serve a handful of large weights. Most of the others round to 0.",
                correct=True,
            ),
            Option(
                "Never: it only loses a little with each bit",
                "Down to 4 bits it looks like that. Then layers whose channels differ in range are left with hardly a step.",
            ),
        ),
    ),
    Question(
        "13.P2",
        "You set four in five weights to zero and run the network in LiteRT, in float32 as before. How much "
        "faster is it?",
        (
            Option(
                "Five times",
                "If every product with 0 were left out, and leaving out cost nothing. The kernel does not look at the values.",
            ),
            Option(
                "About twice",
                "Kernels for sparse weights reach that at such a sparsity. They have to be asked for, and the file written "
                "for them.",
            ),
            Option(
                "Not at all",
                "The kernel multiplies by 0 as fast as by anything else. What shrinks is the zip: zeros compress.",
                correct=True,
            ),
        ),
    ),
    Question(
        "13.P3",
        "One student learns from 200 labels, another one only from the teacher's answers on all 1,347 pictures, some of which "
        "may be wrong. Which one is better on unseen digits?",
        (
            Option(
                "The one with 200 true labels",
                "Labels are always right, but 200 of them leave much unseen. The teacher's errors are few beside that.",
            ),
            Option(
                "Both are about the same",
                "The teacher gives nearly seven times as many examples, and with each the likeness of all ten digits.",
            ),
            Option(
                "The one with the teacher's answers",
                "It sees every picture, and for each ten numbers in place of one label.",
                correct=True,
            ),
        ),
    ),
    Question(
        "13.P4",
        "Channels are taken out until half of the multiply-adds are left. How long does LiteRT take, compared with before?",
        (
            Option(
                "As long as before",
                "That was so for single zeros. Here the tensors themselves are smaller, and every kernel has less to do.",
            ),
            Option(
                "A little more than half",
                "Less to compute in nearly the same proportion; what does not shrink is what each operator costs by itself, and "
                "the depthwise layers, which wait for memory.",
                correct=True,
            ),
            Option(
                "A quarter: inputs and outputs both shrink",
                "That is already counted: half of the multiply-adds is what is left after both have shrunk.",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        "13.Q1",
        "A colleague set 90 % of a model's weights to zero, one by one. The app still takes as long for an image. What has the "
        "colleague gained?",
        (
            Option("Nothing.", "The zip that users download is much smaller, since zeros compress well."),
            Option(
                "A smaller download.",
                "Zeros compress. Speed needs smaller tensors, or kernels written for sparse weights.",
                correct=True,
            ),
            Option(
                "Less memory while it runs.",
                "A dense kernel needs the zeros in memory as well; they take as many bytes as other numbers.",
            ),
        ),
    ),
    Question(
        "13.Q2",
        "You raise the temperature of distillation from 2 to 8 and forget the factor T². What happens?",
        (
            Option(
                "Nothing: it is only a constant.",
                "A constant in front of one of two losses changes their balance, and in front of a single one the step size.",
            ),
            Option(
                "The teacher's part of the gradient shrinks to about a sixteenth.",
                "The gradient falls as 1/T², and (8/2)² is 16. The factor T² takes that back.",
                correct=True,
            ),
            Option(
                "The student learns the wrong classes.",
                "The order of the classes is the same at any temperature. What changes is how strongly the teacher is heard.",
            ),
        ),
    ),
    Question(
        "13.Q3",
        "A palette of 16 values has less error than a 4-bit grid. Why do NPUs that compute with integers want the grid?",
        (
            Option(
                "A grid takes fewer bytes.",
                "Both take 4 bits a weight; the palette adds 16 values to the whole layer.",
            ),
            Option(
                "Its integers can be multiplied as they are.",
                "scale · q is linear in q, so that sums of products are formed in integers and scaled once at the end. A "
                "palette's number is a name, and has to be looked up first.",
                correct=True,
            ),
            Option(
                "A palette has to be trained.",
                "It need not be: k-means on the trained weights is enough to make one.",
            ),
        ),
    ),
    Question(
        "13.Q4",
        "What does the straight-through estimator change?",
        (
            Option(
                "The values of the weights: they are not rounded while training.",
                "They are rounded in every forward pass; that is the point of it.",
            ),
            Option(
                "Only the backward pass: rounding counts as if its slope were 1.",
                "The true slope is 0 almost everywhere, so nothing would learn.",
                correct=True,
            ),
            Option(
                "The loss: it adds the error of rounding.",
                "The loss stays what it was. It is computed with rounded weights, and so knows their error already.",
            ),
        ),
    ),
    Question(
        "13.Q5",
        "\"Our method makes the model 40 times smaller.\" What has to be asked first?",
        (
            Option(
                "At which accuracy, on which data, and what was counted.",
                "Any model can be made 40 times smaller. And bytes of weights, of a file and of a download are three figures.",
                correct=True,
            ),
            Option("How many weights are zero.", "That is part of the recipe. What counts is what it costs and what it brings."),
            Option(
                "Whether it is also 40 times faster.",
                "A fair question, and the second one. First one wants to know whether the small model still works.",
            ),
        ),
    ),
)
