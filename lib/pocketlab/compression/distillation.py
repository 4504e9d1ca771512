"""Distillation: a small network learns from what a large one answers, and not from the labels alone.

Source: Hinton et al. 2015 (Distilling the Knowledge in a Neural Network); Romero et al. 2015 (FitNets); Zagoruyko and
Komodakis 2017 (Paying More Attention to Attention); Furlanello et al. 2018 (Born-Again Networks).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional


def soften(logits: Tensor, temperature: float) -> Tensor:
    """Return `softmax(logits / temperature)` over the last axis: the higher the temperature, the more equal the classes.

    logits: (batch, classes). What is left of a wrong class shows which classes the teacher finds alike. Raises ValueError
    for a temperature that is not positive.
    """
    _check_temperature(temperature)
    return torch.softmax(logits / temperature, dim=-1)


def soft_target_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T² times the Kullback-Leibler divergence of the student's softened answers from the teacher's, batch mean.

    student, teacher: logits (batch, classes). The gradient of the divergence by a logit is (p − q)/T, and p − q itself
    shrinks as 1/T, so it falls off as 1/T². The factor T² takes that back: the balance with the loss on the labels stays as
    it is when the temperature is changed.
    Raises ValueError for different classes, an empty batch, or a temperature that is not positive.
    Source: Hinton et al. 2015, section 2.
    """
    _check_temperature(temperature)
    _check_logits(student, teacher)
    log_q = functional.log_softmax(student / temperature, dim=-1)
    log_p = functional.log_softmax(teacher.detach() / temperature, dim=-1)
    return temperature**2 * functional.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


def distillation_loss(
    student: Tensor, teacher: Tensor, labels: Tensor | None, *, temperature: float = 4.0, alpha: float = 0.9
) -> Tensor:
    """Return `alpha` times the soft-target loss plus `1 − alpha` times the cross entropy with the labels.

    labels: (batch,) classes, or None for data without labels: then only the teacher speaks.
    Raises ValueError unless 0 ≤ alpha ≤ 1, and as `soft_target_loss` does.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is the teacher's share, from 0 to 1; got {alpha}.")
    soft = soft_target_loss(student, teacher, temperature)
    if labels is None:
        return soft
    return alpha * soft + (1 - alpha) * functional.cross_entropy(student, labels)


class FeatureMatching(nn.Module):
    """The mean squared distance of a student's features from a teacher's, through a learned 1×1 map between their widths.

    Features are (batch, channels, …). The map is trained with the student, and thrown away afterwards. Source: Romero et al.
    2015, equation 3.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        if student_channels < 1 or teacher_channels < 1:
            raise ValueError(f"Features have at least one channel; got {student_channels} and {teacher_channels}.")
        self.map = nn.Linear(student_channels, teacher_channels, bias=False)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the loss, one number. Raises ValueError for maps of different sizes."""
        if student.shape[2:] != teacher.shape[2:] or len(student) != len(teacher):
            raise ValueError(
                f"Features to be matched agree but for the channels; they are {tuple(student.shape)} and "
                f"{tuple(teacher.shape)}."
            )
        mapped = self.map(student.movedim(1, -1)).movedim(-1, 1)
        return functional.mse_loss(mapped, teacher.detach())


def attention_map(features: Tensor) -> Tensor:
    """Return where a layer looks: the mean square over the channels, each map scaled to length 1.

    features: (batch, channels, …); the result is (batch, positions). Source: Zagoruyko and Komodakis 2017, section 3.1.
    """
    return functional.normalize(features.square().mean(1).flatten(1), dim=1)


def attention_transfer_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Return the mean squared distance of the attention maps, averaged over pairs of layers; channels may differ.

    Raises ValueError for another number of layers, or for maps of different sizes.
    Source: Zagoruyko and Komodakis 2017, equation 2, with the mean for the sum.
    """
    if len(student) != len(teacher) or not student:
        raise ValueError(f"Give one layer of the teacher for each of the student; got {len(student)} and {len(teacher)}.")
    losses = []
    for ours, theirs in zip(student, teacher, strict=True):
        if ours.shape[2:] != theirs.shape[2:]:
            raise ValueError(f"The maps differ in size: {tuple(ours.shape[2:])} and {tuple(theirs.shape[2:])}.")
        losses.append(functional.mse_loss(attention_map(ours), attention_map(theirs.detach())))
    return torch.stack(losses).mean()


@contextmanager
def features_of(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Collect the outputs of the named layers at each call of the model inside a `with` block.

    Raises ValueError for a name that the model does not have.
    """
    modules = dict(model.named_modules())
    if unknown := [name for name in layers if name not in modules]:
        raise ValueError(f"The model has no layer {unknown[0]!r}; it has {', '.join(filter(None, modules))}.")
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda module, inputs, output: found.__setitem__(name, output)

    handles = [modules[name].register_forward_hook(keep(name)) for name in layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def teacher_logits(teacher: nn.Module, inputs: Tensor, *, batch: int = 256) -> Tensor:
    """Return the teacher's logits (count, classes) for all inputs (count, …), in evaluation mode, which is put back.

    They do not change while the student trains on the same inputs, so they are computed once. No labels are needed: inputs
    from anywhere will do. For self-distillation the teacher is a trained network of the student's own architecture.
    Raises ValueError for no inputs.
    """
    if len(inputs) == 0:
        raise ValueError("The teacher needs at least one input.")
    training = teacher.training
    teacher.eval()
    try:
        return torch.cat([teacher(part) for part in inputs.split(batch)])
    finally:
        teacher.train(training)


def _check_temperature(temperature: float) -> None:
    if not 0 < temperature < float("inf"):
        raise ValueError(f"The temperature has to be positive and finite; got {temperature}.")


def _check_logits(student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape or student.ndim != 2 or not student.numel():
        raise ValueError(
            f"Student and teacher answer for the same batch and classes, (batch, classes); their logits have shapes "
            f"{tuple(student.shape)} and {tuple(teacher.shape)}."
        )
