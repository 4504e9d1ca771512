"""Lab 06: its exercises with the mistakes that people make, one module each, its predictions and its quiz."""

from pocketlab.course.exercise import LabContent
from pocketlab.course.exercises.lab06.biquad import BIQUAD
from pocketlab.course.exercises.lab06.complementary import COMPLEMENTARY
from pocketlab.course.exercises.lab06.gate import GATE
from pocketlab.course.exercises.lab06.heading import HEADING
from pocketlab.course.exercises.lab06.kalman_step import KALMAN_STEP
from pocketlab.course.exercises.lab06.mel import MEL
from pocketlab.course.exercises.lab06.newest import NEWEST
from pocketlab.course.exercises.lab06.questions import PREDICTIONS, QUIZ
from pocketlab.course.exercises.lab06.turning import TURNING
from pocketlab.course.exercises.lab06.up import UP
from pocketlab.course.exercises.lab06.yuv import YUV

CONTENT = LabContent(
    exercises=(TURNING, UP, COMPLEMENTARY, HEADING, KALMAN_STEP, GATE, BIQUAD, MEL, YUV, NEWEST),
    predictions=PREDICTIONS,
    quiz=QUIZ,
)
