"""Lab 01: its exercises with the mistakes that people make, one module each, its predictions and its quiz."""

from pocketlab.course.exercise import LabContent
from pocketlab.course.exercises.lab01.affine import AFFINE
from pocketlab.course.exercises.lab01.image_input import IMAGE_SCALE_BIAS
from pocketlab.course.exercises.lab01.latency import LATENCY
from pocketlab.course.exercises.lab01.parity import SQNR
from pocketlab.course.exercises.lab01.partitions import PARTITIONS
from pocketlab.course.exercises.lab01.questions import PREDICTIONS, QUIZ
from pocketlab.course.exercises.lab01.registration import REGISTRATION
from pocketlab.course.exercises.lab01.representative import REPRESENTATIVE
from pocketlab.course.exercises.lab01.weights import WEIGHT_SCALES

CONTENT = LabContent(
    exercises=(IMAGE_SCALE_BIAS, SQNR, AFFINE, WEIGHT_SCALES, REPRESENTATIVE, LATENCY, PARTITIONS, REGISTRATION),
    predictions=PREDICTIONS,
    quiz=QUIZ,
)
