"""Exercise 13.9: the loss of a student that learns from a teacher's answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from pocketlab.compression.distillation import soft_target_loss
from pocketlab.course.exercise import Case, Exercise, Misconception, Tolerance

_Loss = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]


def _soft_target_cases(rng: np.random.Generator) -> list[Case]:
    def logits(batch: int, classes: int, scale: float = 3.0) -> torch.Tensor:
        return torch.tensor(rng.normal(0, scale, (batch, classes)))  # float64: an answer may be in float32 or float64

    def case(label: str, student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> Case:
        sizes = {
            "T": temperature,
            "T²": temperature**2,
            "batch size": len(student),
            "number of classes": student.shape[1],
            "number of logits": student.numel(),
        }
        return Case(label, (student, teacher, temperature), sizes)

    same = logits(4, 6)
    one_hot = torch.eye(5, dtype=torch.float64)
    return [
        case("one example", torch.tensor([[1.0, 0.0]]).double(), torch.tensor([[2.0, 0.0]]).double(), 2.0),
        case("one example", logits(1, 5), logits(1, 5), 3.0),
        case("a batch", logits(3, 4), logits(3, 4), 2.0),
        case("a batch", logits(8, 10), logits(8, 10), 4.0),
        case("a batch", logits(5, 10, 8.0), logits(5, 10, 8.0), 6.0),
        case("as many examples as classes", logits(6, 6), logits(6, 6), 5.0),
        case("temperature 1", logits(7, 4), logits(7, 4), 1.0),
        case("a temperature below 1", logits(4, 3, 1.0), logits(4, 3, 1.0), 0.5),
        case("a high temperature", logits(6, 8), logits(6, 8), 12.0),
        case("the student answers as the teacher", same, same.clone(), 4.0),
        case("the student's logits are the teacher's plus a constant", same + 5.0, same, 4.0),
        case("all classes alike to the student", torch.zeros(3, 5).double(), logits(3, 5), 3.0),
        case("all classes alike to the teacher", logits(3, 5), torch.zeros(3, 5).double(), 3.0),
        case("a teacher sure of its answer", logits(5, 5), 40.0 * one_hot, 2.0),
        case("huge logits", -5000.0 * one_hot, 5000.0 * one_hot, 2.0),
        case("a student in training", logits(4, 10).requires_grad_(), logits(4, 10), 4.0),
        case("transposed logits", logits(10, 6).T, logits(10, 6).T, 4.0),
        case("different classes", logits(4, 5), logits(4, 10), 4.0),
        case("different classes", logits(4, 10), logits(4, 1), 4.0),
        case("different batches", logits(4, 10), logits(1, 10), 4.0),
        case("temperature 0", logits(4, 5), logits(4, 5), 0.0),
        case("a negative temperature", logits(4, 5), logits(4, 5), -2.0),
    ]


def _refuse(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> None:
    if student.shape != teacher.shape or temperature <= 0:
        raise ValueError("student and teacher answer for the same batch and classes, at a positive temperature")


def _divergence(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """KL(p ‖ q), mean over the batch."""
    return (log_p.exp() * (log_p - log_q)).sum(-1).mean()


def _unchecked(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    log_q = torch.log_softmax(student / temperature, -1)
    log_p = torch.log_softmax(teacher / temperature, -1)
    return temperature**2 * _divergence(log_p, log_q)


def _checked(loss: _Loss) -> _Loss:
    """The loss, with everything refused that the exercise asks to refuse."""

    def with_checks(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
        _refuse(student, teacher, temperature)
        return loss(student, teacher, temperature)

    return with_checks


def _compared(
    measure: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    factor: Callable[[float], float] = lambda temperature: temperature**2,
) -> _Loss:
    """A factor, T² unless told, times a measure of the softened answers: (teacher's log p, student's log q)."""

    def loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
        log_q = torch.log_softmax(student / temperature, -1)
        log_p = torch.log_softmax(teacher / temperature, -1)
        return factor(temperature) * measure(log_p, log_q)

    return _checked(loss)


def _softened(student_logits: _Loss, teacher_logits: _Loss) -> _Loss:
    """T² times the divergence of other logits than logits / T; each is computed from (logits, the other logits, T)."""

    def loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
        log_q = torch.log_softmax(student_logits(student, teacher, temperature), -1)
        log_p = torch.log_softmax(teacher_logits(teacher, student, temperature), -1)
        return temperature**2 * _divergence(log_p, log_q)

    return _checked(loss)


def _divided(logits: torch.Tensor, _: torch.Tensor, temperature: float) -> torch.Tensor:
    return logits / temperature


def _as_they_are(logits: torch.Tensor, _: torch.Tensor, temperature: float) -> torch.Tensor:
    del temperature
    return logits


def _softmax_first(logits: torch.Tensor, _: torch.Tensor, temperature: float) -> torch.Tensor:
    return torch.softmax(logits / temperature, -1)


def _probabilities_divided(logits: torch.Tensor, _: torch.Tensor, temperature: float) -> torch.Tensor:
    return torch.softmax(logits, -1) / temperature


def _student_without_log(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    return functional.kl_div(log_q.exp(), log_p.exp(), reduction="batchmean")


def _logarithm_of_softmax(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    p = torch.softmax(teacher / temperature, -1)
    q = torch.softmax(student / temperature, -1)
    return temperature**2 * functional.kl_div(q.log(), p, reduction="batchmean")


def _quotient_of_softmaxes(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    p = torch.softmax(teacher / temperature, -1)
    q = torch.softmax(student / temperature, -1)
    return temperature**2 * (p * (p / q).log()).sum(-1).mean()


def _epsilon(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    p = torch.softmax(teacher / temperature, -1)
    q = torch.softmax(student / temperature, -1)
    return temperature**2 * (p * ((p + 1e-8).log() - (q + 1e-8).log())).sum(-1).mean()


def _over_the_batch(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    log_q = torch.log_softmax(student / temperature, 0)
    log_p = torch.log_softmax(teacher / temperature, 0)
    return temperature**2 * _divergence(log_p, log_q)


def _student_over_the_batch(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    log_q = torch.log_softmax(student / temperature, 0)
    log_p = torch.log_softmax(teacher / temperature, -1)
    return temperature**2 * _divergence(log_p, log_q)


def _hard_labels(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    return temperature**2 * functional.cross_entropy(student / temperature, teacher.argmax(-1))


def _middle(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    log_m = ((log_p.exp() + log_q.exp()) / 2).log()
    return (_divergence(log_p, log_m) + _divergence(log_q, log_m)) / 2


def _in_place(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    teacher /= temperature
    return temperature**2 * _unchecked(student / temperature, teacher, 1.0)


def _through_numpy(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    student.numpy()
    return _unchecked(student, teacher, temperature)


def _shapes_unchecked(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    _refuse(student, student, temperature)
    return _unchecked(student, teacher, temperature)


def _common_classes(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    _refuse(student, student, temperature)
    classes = min(student.shape[1], teacher.shape[1])
    return _unchecked(student[:, :classes], teacher[:, :classes], temperature)


def _batches_unchecked(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    _refuse(student[:1], teacher[:1], temperature)
    return _unchecked(student, teacher, temperature)


def _classes_unchecked(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    _refuse(student[:, :1], teacher[:, :1], temperature)
    return _unchecked(student, teacher, temperature)


def _temperature_unchecked(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    _refuse(student, teacher, 1.0)
    return _unchecked(student, teacher, temperature)


def _zero_accepted(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    _refuse(student, teacher, 1.0 if temperature == 0 else temperature)
    return _unchecked(student, teacher, temperature)


def _below_one_refused(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    _refuse(student, teacher, temperature if temperature >= 1 else 0.0)
    return _unchecked(student, teacher, temperature)


def _with_gradient(loss: _Loss) -> Callable[..., object]:
    """The loss and, for a student in training, its gradient too: without one the student learns nothing."""

    def probed(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> object:
        value = loss(student, teacher, temperature)
        if not student.requires_grad:
            return value
        if not getattr(value, "requires_grad", False):
            return value, "no gradient"
        return value, torch.autograd.grad(value, student)[0]

    return probed


@torch.no_grad()
def _cut_off(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    return soft_target_loss(student, teacher, temperature)


SOFT_TARGETS = Exercise(
    id="13.9",
    title="the loss of a student that learns from a teacher's answers",
    reference=soft_target_loss,
    cases=_soft_target_cases,
    tolerance=Tolerance(
        1e-6,
        1e-4,
        "In float32 a log-softmax is off by two roundings, 1.2e-7 of its size. The sum over p weighs these with 1, "
        "and T² multiplies them: 5e-5 at most in the cases, and twice that for a difference of two such sums. A huge "
        "loss is off by 1.2e-7 of itself.",
    ),
    probe=_with_gradient,
    misconceptions=(
        Misconception(
            "T² forgotten",
            _compared(_divergence, factor=lambda temperature: 1.0),
            "The factor T² is missing. Without it the gradient falls off as 1/T², and the teacher falls silent as the "
            "temperature rises.",
        ),
        Misconception(
            "T in place of T²",
            _compared(_divergence, factor=lambda temperature: temperature),
            "You multiply by T; the factor is T². The gradient loses one T by the chain rule and one more because the "
            "softened answers differ by less.",
        ),
        Misconception(
            "divided by T²",
            _compared(_divergence, factor=lambda temperature: 1 / temperature**2),
            "You divide by T². The divergence is small already at a high temperature: multiply by T².",
        ),
        Misconception(
            "divided by T",
            _compared(_divergence, factor=lambda temperature: 1 / temperature),
            "You divide by T. The divergence is small already at a high temperature: multiply by T².",
        ),
        Misconception(
            "2T",
            _compared(_divergence, factor=lambda temperature: 2 * temperature),
            "You multiply by 2T. The factor is T to the power of 2: `temperature**2`.",
        ),
        Misconception(
            "the wrong direction",
            _compared(lambda log_p, log_q: _divergence(log_q, log_p)),
            "You take the divergence of the teacher from the student. The teacher's answer comes first: Σ p·(log p − "
            "log q), with p the teacher's. In `F.kl_div(log_q, p)` the student comes first.",
        ),
        Misconception(
            "both directions",
            _compared(lambda log_p, log_q: (_divergence(log_p, log_q) + _divergence(log_q, log_p)) / 2),
            "You take the mean of both directions. Only KL(teacher ‖ student) is wanted.",
        ),
        Misconception(
            "Jensen-Shannon",
            _compared(_middle),
            "You compare both with their mean, which is the Jensen-Shannon divergence. KL(teacher ‖ student) is "
            "wanted.",
        ),
        Misconception(
            "cross entropy",
            _compared(lambda log_p, log_q: -(log_p.exp() * log_q).sum(-1).mean()),
            "You return the cross entropy −Σ p·log q. Its gradient is the same, but it is not 0 where the student "
            "answers as the teacher does: the divergence takes the teacher's entropy off, Σ p·(log p − log q).",
        ),
        Misconception(
            "the entropy added",
            _compared(lambda log_p, log_q: -(log_p.exp() * (log_p + log_q)).sum(-1).mean()),
            "You add the teacher's entropy to the cross entropy. The divergence is the cross entropy minus the "
            "entropy: Σ p·(log p − log q).",
        ),
        Misconception(
            "hard labels",
            _checked(_hard_labels),
            "You use the teacher's most likely class as a label. What it says of the other classes is lost: compare "
            "with all of its probabilities.",
        ),
        Misconception(
            "mean over all entries",
            _compared(lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).mean()),
            "You take the mean over examples and classes, as `F.kl_div` does by default. Sum over the classes and "
            'take the mean over the batch: `reduction="batchmean"`.',
        ),
        Misconception(
            "mean over all entries, T² forgotten",
            _compared(lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).mean(), factor=lambda temperature: 1.0),
            "Two things are missing: the factor T², and the sum over the classes. `F.kl_div` takes the mean over all "
            'entries by default; the mean over the batch is `reduction="batchmean"`.',
        ),
        Misconception(
            "sum over the batch, T² forgotten",
            _compared(lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).sum(), factor=lambda temperature: 1.0),
            "Two things are missing: the factor T², and the mean over the batch. Divide the sum by the batch size and "
            "multiply it by T².",
        ),
        Misconception(
            "the wrong direction, T² forgotten",
            _compared(lambda log_p, log_q: _divergence(log_q, log_p), factor=lambda temperature: 1.0),
            "Two things are wrong: the factor T² is missing, and you take the divergence of the teacher from the "
            "student. The teacher's p comes first: T² · Σ p·(log p − log q).",
        ),
        Misconception(
            "sum over the batch",
            _compared(lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).sum()),
            "You sum over the batch, so the loss grows with it. Take the mean over the examples.",
        ),
        Misconception(
            "the mean of the batch twice",
            _compared(lambda log_p, log_q: _divergence(log_p, log_q) / len(log_p)),
            'You divide by the batch size twice: `"batchmean"` and `mean()` have done it already.',
        ),
        Misconception(
            "each example",
            _compared(lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).sum(-1)),
            "You return the loss of each example. Take the mean over the batch.",
        ),
        Misconception(
            "the sign",
            _compared(lambda log_p, log_q: -_divergence(log_p, log_q)),
            "Your loss is never above 0, so training would push the student away from the teacher. It is Σ p·(log p − "
            "log q), not Σ p·(log q − log p).",
        ),
        Misconception(
            "the temperature on the teacher only",
            _softened(_as_they_are, _divided),
            "You soften the teacher only. The student is compared at the same temperature: divide its logits by T too.",
        ),
        Misconception(
            "the temperature on the student only",
            _softened(_divided, _as_they_are),
            "You soften the student only. Divide the teacher's logits by T too: this is what shows which classes it "
            "finds alike.",
        ),
        Misconception(
            "no temperature",
            _softened(_as_they_are, _as_they_are),
            "You do not divide the logits by T; only the factor T² depends on it. Divide both, before the softmax.",
        ),
        Misconception(
            "multiplied by T",
            _softened(lambda logits, _, t: logits * t, lambda logits, _, t: logits * t),
            "You multiply the logits by T, which makes the answers more certain. Divide: a high temperature makes the "
            "classes more alike.",
        ),
        Misconception(
            "divided by the square of T",
            _softened(lambda logits, _, t: logits / t**2, lambda logits, _, t: logits / t**2),
            "You divide the logits by T². They are divided by T; T² is the factor of the loss.",
        ),
        Misconception(
            "probabilities divided by T",
            _softened(_probabilities_divided, _probabilities_divided),
            "You take the softmax first, divide its result by T, and take another one. The temperature divides the "
            "logits, and one softmax follows.",
        ),
        Misconception(
            "softmax twice",
            _softened(_softmax_first, _softmax_first),
            "You take the softmax twice: `log_softmax` includes one. Give it logits, not probabilities.",
        ),
        Misconception(
            "softmax twice on the student",
            _softened(_softmax_first, _divided),
            "You take the student's softmax twice: `log_softmax` includes one. Give it logits, not probabilities.",
        ),
        Misconception(
            "softmax twice on the teacher",
            _softened(_divided, _softmax_first),
            "You take the teacher's softmax twice. Divide its logits by T and take one softmax.",
        ),
        Misconception(
            "softmax over the batch",
            _checked(_over_the_batch),
            "Your softmax runs over the batch (`dim=0`). The probabilities of one example's classes add up to 1: use "
            "`dim=-1`.",
        ),
        Misconception(
            "the student's softmax over the batch",
            _checked(_student_over_the_batch),
            "The student's softmax runs over the batch (`dim=0`). The probabilities of one example's classes add up "
            "to 1: use `dim=-1` for both.",
        ),
        Misconception(
            "the student without a logarithm",
            _compared(_student_without_log),
            "`F.kl_div` takes the student's log-probabilities as its first argument; you give probabilities. Use "
            "`log_softmax`.",
        ),
        Misconception(
            "the teacher with a logarithm",
            _compared(lambda log_p, log_q: functional.kl_div(log_q, log_p, reduction="batchmean")),
            "You give `F.kl_div` the teacher's log-probabilities without saying so. Use `softmax` for the teacher, or "
            "`log_target=True`.",
        ),
        Misconception(
            "log of softmax",
            _checked(_logarithm_of_softmax),
            "Right, except for huge logits: the softmax is 0 there, and its logarithm infinite. `log_softmax` "
            "computes both at once and stays finite.",
        ),
        Misconception(
            "a quotient of softmaxes",
            _checked(_quotient_of_softmaxes),
            "Right, except for huge logits, where you divide 0 by 0. Take the difference of two `log_softmax` for "
            "log(p / q).",
        ),
        Misconception(
            "an epsilon in the logarithm",
            _checked(_epsilon),
            "Your epsilon keeps the logarithm finite but changes small probabilities, and cuts the loss off where the "
            "student is sure of a wrong class. `log_softmax` needs none.",
        ),
        Misconception(
            "base 2",
            _compared(lambda log_p, log_q: _divergence(log_p, log_q) / np.log(2)),
            "You use the logarithm to base 2. The loss on the labels, which it is added to, has the natural one.",
        ),
        Misconception(
            "squared distance of the logits",
            _checked(lambda student, teacher, temperature: functional.mse_loss(student, teacher)),
            "You return the mean squared distance of the logits. That is a distillation loss too, but the divergence "
            "of the softened answers is wanted.",
        ),
        Misconception(
            "squared distance of the softened logits",
            _checked(
                lambda student, teacher, temperature: functional.mse_loss(student / temperature, teacher / temperature)
            ),
            "You return the mean squared distance of the logits divided by T. The divergence of the softmax of these "
            "is wanted.",
        ),
        Misconception(
            "squared distance of the probabilities",
            _compared(lambda log_p, log_q: functional.mse_loss(log_q.exp(), log_p.exp())),
            "You return the mean squared distance of the probabilities. Their divergence is wanted: Σ p·(log p − log "
            "q).",
        ),
        Misconception(
            "absolute distance",
            _compared(lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).abs().sum(-1).mean()),
            "You take the magnitude of each term. Terms of classes that the student overrates are negative, and "
            "belong so.",
        ),
        Misconception(
            "the teacher's logits changed",
            _checked(_in_place),
            "Your function divides the teacher's logits in place (`/=` or `div_`), and they are used again in the "
            "next epoch. Use `teacher / temperature`, which makes a new tensor.",
        ),
        Misconception(
            "through NumPy",
            _checked(_through_numpy),
            "NumPy refuses logits that training needs the gradient of, and with `detach()` the student would not "
            "learn. Stay in torch.",
        ),
        Misconception(
            "nothing refused",
            _unchecked,
            "Right, except that nothing is refused. Raise a ValueError if the shapes differ, and if the temperature "
            "is not positive.",
        ),
        Misconception(
            "different shapes accepted",
            _shapes_unchecked,
            "Right, except that logits of different shapes are not refused. A teacher of one class or one example is "
            "even broadcast without a word: raise a ValueError if the shapes differ.",
        ),
        Misconception(
            "different classes accepted",
            _classes_unchecked,
            "Right, except that you compare the batch sizes only. Raise a ValueError if the classes differ too: "
            "`student.shape != teacher.shape`.",
        ),
        Misconception(
            "different batches accepted",
            _batches_unchecked,
            "Right, except that you compare the classes only, and a teacher's batch of one is broadcast to the "
            "student's. Raise a ValueError if the batch sizes differ too: `student.shape != teacher.shape`.",
        ),
        Misconception(
            "only the classes in common",
            _common_classes,
            "You cut the logits to the classes in common. Which class is which is then anybody's guess: raise a "
            "ValueError if the shapes differ.",
        ),
        Misconception(
            "any temperature accepted",
            _temperature_unchecked,
            "Right, except that a temperature of 0 and a negative one are accepted. Raise a ValueError unless it is "
            "positive.",
        ),
        Misconception(
            "temperature 0 accepted",
            _zero_accepted,
            "Right, except that a temperature of 0 is accepted, which divides by zero. Raise a ValueError unless it "
            "is positive.",
        ),
        Misconception(
            "temperatures below 1 refused",
            _below_one_refused,
            "You refuse temperatures below 1. They are unusual but allowed: every positive one is.",
        ),
        Misconception(
            "cut off from training",
            _cut_off,
            "The value is right, but torch cannot follow how it came about: there is a `no_grad`, `detach`, `.item()`, or NumPy "
            "in it. Then the student gets no gradient and learns nothing. Compute with torch tensors to the end.",
        ),
    ),
)
