"""Lab 13: its exercises with the mistakes that people make, one module each, its predictions and its quiz."""

from pocketlab.course.exercise import LabContent
from pocketlab.course.exercises.lab13.entropy import ENTROPY
from pocketlab.course.exercises.lab13.errors_of_a_grid import ROUNDING_AND_CLIPPING
from pocketlab.course.exercises.lab13.front import FRONT
from pocketlab.course.exercises.lab13.importance import IMPORTANCE
from pocketlab.course.exercises.lab13.magnitude import MAGNITUDE
from pocketlab.course.exercises.lab13.palette import NEAREST
from pocketlab.course.exercises.lab13.quantizing import QUANTIZE
from pocketlab.course.exercises.lab13.questions import PREDICTIONS, QUIZ
from pocketlab.course.exercises.lab13.schedule import SCHEDULE
from pocketlab.course.exercises.lab13.soft_targets import SOFT_TARGETS
from pocketlab.course.exercises.lab13.straight_through import STRAIGHT_THROUGH

CONTENT = LabContent(
    exercises=(
        QUANTIZE,
        ROUNDING_AND_CLIPPING,
        STRAIGHT_THROUGH,
        NEAREST,
        ENTROPY,
        MAGNITUDE,
        SCHEDULE,
        IMPORTANCE,
        SOFT_TARGETS,
        FRONT,
    ),
    predictions=PREDICTIONS,
    quiz=QUIZ,
)
