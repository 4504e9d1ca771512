"""Lab 04: its exercises with the mistakes that people make, one module each, its predictions and its quiz."""

from pocketlab.course.exercise import LabContent
from pocketlab.course.exercises.lab04.cache import CACHE
from pocketlab.course.exercises.lab04.cache_size import CACHE_BYTES
from pocketlab.course.exercises.lab04.choosing import CHOOSING
from pocketlab.course.exercises.lab04.expected import EXPECTED
from pocketlab.course.exercises.lab04.grid_size import GRID_BITS
from pocketlab.course.exercises.lab04.questions import PREDICTIONS, QUIZ
from pocketlab.course.exercises.lab04.rounding import ROUNDING
from pocketlab.course.exercises.lab04.salient import SALIENT
from pocketlab.course.exercises.lab04.scale_search import SCALE_SEARCH
from pocketlab.course.exercises.lab04.shortening import SHORTENING
from pocketlab.course.exercises.lab04.verifying import VERIFYING

CONTENT = LabContent(
    exercises=(
        CACHE,
        CACHE_BYTES,
        GRID_BITS,
        ROUNDING,
        SALIENT,
        SCALE_SEARCH,
        CHOOSING,
        VERIFYING,
        EXPECTED,
        SHORTENING,
    ),
    predictions=PREDICTIONS,
    quiz=QUIZ,
)
