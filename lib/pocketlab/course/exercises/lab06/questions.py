"""Lab 06: its predictions and its quiz."""

from __future__ import annotations

from pocketlab.course.exercise import Option, Question

PREDICTIONS = (
    Question(
        "06.P1",
        "A gyroscope says 0.3 degrees a second too much, and you add up what it says for a minute. How large is the "
        "error at the end?",
        (
            Option(
                "0.3 degrees",
                "That is the error of one second. Adding up forgets nothing: each second puts the same error on top.",
            ),
            Option(
                "About 2 degrees: errors of many samples mostly cancel",
                "Noise cancels in part, and grows with the square root of the time. A bias always has the same sign.",
            ),
            Option(
                "About 18 degrees",
                "60 s times 0.3 degrees a second. A constant error of a rate is an error of the angle that grows with "
                "the time.",
                correct=True,
            ),
        ),
    ),
    Question(
        "06.P2",
        "A complementary filter has one setting, the time in which gravity corrects the tilt. The phone is shaken. What "
        "happens if you make that time very short, 0.1 s?",
        (
            Option(
                "The tilt is more accurate: the gyroscope's drift has no time to grow",
                "Drift is gone, and in its place every shake counts as gravity. A hand's acceleration of 3 m/s² tilts "
                "the measured force by 17 degrees.",
            ),
            Option(
                "The tilt follows the shaking and is worse",
                "The accelerometer cannot tell gravity from motion. The shorter the time, the more of the motion is "
                "taken for tilt.",
                correct=True,
            ),
            Option(
                "Nothing much: the mean of the shaking is zero",
                "Over many seconds it is. In 0.1 s it is not, and that is over how long you average now.",
            ),
        ),
    ),
    Question(
        "06.P3",
        "Somebody puts a phone into a case with a magnetic clasp. Afterwards the magnetometer reads twice the earth's "
        "field. How can a filter still find north?",
        (
            Option(
                "It cannot, as long as the magnet is there; it has to rely on the gyroscope for ever",
                "For a minute that is what good filters do. But the magnet turns with the phone, and the earth's field "
                "does not.",
            ),
            Option(
                "By the phone's turning: the magnet stays fixed in the phone, the earth's field in the world",
                "The reading is R·m = field + R·offset. With R from the gyroscope, both are found as soon as the phone "
                "has turned enough.",
                correct=True,
            ),
            Option(
                "It takes the mean of the readings, as the magnet's part averages out",
                "Only if the phone faced every direction equally long. A phone in a hand faces mostly one.",
            ),
        ),
    ),
    Question(
        "06.P4",
        "A phone lies on a bench. Every second GPS gives a fix that is about 5 m off. Why is the mean of ten fixes hardly "
        "better than one of them?",
        (
            Option(
                "Because the errors of neighboring fixes are alike: they come from the same satellites and walls",
                "The mean of ten independent errors is a third as large. These wander over a minute or so, so the mean "
                "of ten seconds has nearly the same error.",
                correct=True,
            ),
            Option(
                "Because ten are too few: an error shrinks with the root of the count",
                "Ten independent errors would leave a third of one. These are alike, and even thirty in a row share much.",
            ),
            Option(
                "It is: ten fixes have a third of the error of one",
                "That holds for errors that are independent of each other. These are not.",
            ),
        ),
    ),
    Question(
        "06.P5",
        "Frames come 60 times a second. The network suddenly takes half a second for one of them. The queue holds two "
        "frames and drops the oldest. How many frames are lost, and how old is the first frame after the stall?",
        (
            Option(
                "None is lost; the frames wait, and the picture lags behind by half a second from then on",
                "So it is with a queue without an end. It never catches up if the network needs nearly all of its time.",
            ),
            Option(
                "About 28 are lost, and the first one is two frames old",
                "30 frames come in half a second, and the two newest wait. All before them is lost, but what is shown "
                "is fresh.",
                correct=True,
            ),
            Option(
                "About 28 are lost, and the first one is half a second old",
                "So it would be if the newest were dropped: the two oldest would wait in the queue all the time.",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        "06.Q1",
        "Which errors of an orientation can gravity alone correct?",
        (
            Option(
                "All three angles",
                "Turn a phone that lies on a table about the vertical: its accelerometer reads the same as before.",
            ),
            Option(
                "The two of the inclination, not the heading",
                "Gravity is one direction, and a rotation about it changes nothing that an accelerometer measures.",
                correct=True,
            ),
            Option(
                "The heading only",
                "The other way round: heading is the one that gravity does not see.",
            ),
        ),
    ),
    Question(
        "06.Q2",
        "A Kalman filter is told that its measurements are ten times as exact as they are. What do you see?",
        (
            Option(
                "An estimate that follows every measurement, and a band of uncertainty that the truth often leaves",
                "The gain is too high, so noise passes, and the covariance says what it was told.",
                correct=True,
            ),
            Option(
                "An estimate that hardly moves",
                "That is what happens if you say they are ten times worse than they are.",
            ),
            Option(
                "The same estimate, but a narrower band",
                "The gain is made from both noises. If only one changes, so does the estimate.",
            ),
        ),
    ),
    Question(
        "06.Q3",
        "You filter sound that comes in chunks of 10 ms, each chunk with a new filter. What do you hear?",
        (
            Option(
                "The same as with one filter",
                "A filter that starts anew takes the samples before its chunk for silence.",
            ),
            Option(
                "A buzz of 100 Hz: at every border the filter starts from silence",
                "100 borders a second, a jump at each. The state has to go on from chunk to chunk.",
                correct=True,
            ),
            Option(
                "Nothing but a delay of 10 ms",
                "The chunk itself delays by that much with any filter. On top of it come jumps, from the state that is lost.",
            ),
        ),
    ),
    Question(
        "06.Q4",
        "A network was trained on log-mel frames that a Python library computed, and in the app its accuracy drops to "
        "chance. What do you check first?",
        (
            Option(
                "Whether the int8 quantization was too coarse",
                "It costs a percent or two, and you would have seen it on the desktop with the same file.",
            ),
            Option(
                "Whether the app computes the same front end: window, mel scale, log, scaling",
                "The most common fault of audio on phones. Put the front end into the model's file, and there is only one.",
                correct=True,
            ),
            Option(
                "Whether the phone is fast enough",
                "Then frames would come late or be dropped; their content would be right.",
            ),
        ),
    ),
)
