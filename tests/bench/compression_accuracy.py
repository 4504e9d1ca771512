"""What compression costs in accuracy, on MNIST: 8,000 of the 10,000 digits in $POCKETLAB_DATA to train, 2,000 to test.

qat: 4-bit weights after quantization-aware training, against the same net rounded to 4 bits after training. The net is chosen
so that 4 bits hurt: depthwise-separable blocks with batch normalization folded into them have channels of very different
ranges, and one scale for each tensor has to serve them all. Float and 4-bit net go on from the same folded weights for the
same epochs, at the same rate; the float net after these is what is rounded, with `quantize_weights`, and what both are
compared with. Means over 3 seeds.

channels: half and 30 % of the multiply-adds of a net of inverted residuals (Sandler et al. 2018), pruned by `prune_channels`
with the loss of 1,000 training digits, and by torch-pruning's MagnitudePruner with its group magnitude, in one shot, to the
fewest multiply-adds that are not fewer than ours. Of its global and its local ranking the one that is better in the mean
counts. The same training follows for all of them. The net is small for the task, so that channels matter, and both sides cut
single channels and no multiples. Means over 5 seeds.

student: there are 250 labels, and nobody sees more of them: the teacher learns from these 250 digits, and so does the
student alone. The student with a teacher sees no label itself, but the teacher's answers for all 8,000 digits, 7,750 of
which have no label: distilling with unlabelled data. Both students start from the same weights and train for the same number
of steps, with the same shifts by up to two pixels. Means over 3 seeds.
"""

from __future__ import annotations

import copy
import dataclasses
from functools import cache
from statistics import mean

import torch
import torch_pruning
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from bench.row import Row
from bench.training import right, steps_per_epoch, train
from pocketlab.compression.channels import multiply_adds, prune_channels
from pocketlab.compression.distillation import teacher_logits
from pocketlab.compression.qat import finish_qat, prepare_qat, quantize_weights
from pocketlab.data.digits import Digits, load_digits
from pocketlab.data.models import depthwise_separable

TARGETS = (0.5, 0.3)  # of the multiply-adds
SEEN = 1000  # digits that tell which channels matter
LABELS = 250  # that there are for anyone; the other 7,750 digits have none
TEACHER_STEPS, STUDENT_STEPS = 630, 3024  # whole epochs of 2 steps, and of 63


def wrong(model: nn.Module, digits: Digits) -> float:
    return 100 - right(model, digits)


def separable_net(width: int = 16, blocks: int = 5) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU6(),
        depthwise_separable(width, 2 * width, stride=2),
        *(depthwise_separable(2 * width, 2 * width) for _ in range(blocks - 1)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, 10),
    )


@cache
def quantized(seed: int) -> tuple[float, float, float]:
    """Wrong answers in percent of the float net, of it in 4 bits after training, and after quantization-aware training."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    digits, model = load_digits("mnist"), separable_net()
    train(model, digits, 20, rate=1e-2)
    floating = fuse(model)
    aware = prepare_qat(floating, 4, per_channel=False)
    for net in (floating, aware):
        train(net, digits, 10, rate=3e-3)
    after = quantize_weights(floating, 4, per_channel=False)
    return wrong(floating, digits), wrong(after, digits), wrong(finish_qat(aware), digits)


def qat() -> list[Row]:
    floating, after, aware = map(mean, zip(*(quantized(seed) for seed in range(3)), strict=True))
    return [
        Row("4-bit weights by quantization-aware training, wrong answers", "%", aware, floating, "float"),
        Row("4-bit weights by quantization-aware training, wrong answers", "%", aware, after, "4 bits after training"),
    ]


class InvertedResidual(nn.Module):
    """1×1 to three times as many channels, 3×3 for each of them, 1×1 back, and the input added where it fits."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        hidden = 3 * inputs
        self.adds = inputs == outputs and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, hidden, 3, stride, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.adds else self.layers(x)


def residual_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        InvertedResidual(8, 16, stride=2),
        *(InvertedResidual(16, 16) for _ in range(3)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


def cost(model: nn.Module, example: Tensor) -> int:
    return sum(multiply_adds(model, example).values())


def magnitude_pruned(model: nn.Module, example: Tensor, at_least: int, *, everywhere: bool) -> nn.Module:
    """torch-pruning's result with the fewest multiply-adds that are still `at_least` so many, by halving the interval."""
    low, high, found = 0.0, 1.0, model
    for _ in range(12):  # finer than one channel of the widest group
        ratio = (low + high) / 2
        smaller = copy.deepcopy(model)
        torch_pruning.pruner.MagnitudePruner(
            smaller,
            example,
            importance=torch_pruning.importance.GroupMagnitudeImportance(),
            global_pruning=everywhere,
            pruning_ratio=ratio,
            ignored_layers=[list(smaller.children())[-1]],
        ).step()
        if cost(smaller, example) >= at_least:
            low, found = ratio, smaller
        else:
            high = ratio
    return found


@cache
def pruned(seed: int) -> dict[tuple[float, str], float]:
    """Wrong answers in percent after pruning to each target and training on, by ours and by both rankings of theirs."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    digits, model = load_digits("mnist"), residual_net()
    train(model, digits, 10, rate=1e-2)
    images = torch.from_numpy(digits.normalize(digits.train_images[:SEEN]))
    labels = torch.from_numpy(digits.train_labels[:SEEN])
    found = {}
    for target in TARGETS:
        ours = prune_channels(
            model,
            images[:1],
            remaining=target,
            loss=lambda net: nn.functional.cross_entropy(net(images), labels),
            multiple_of=1,
        )
        floor = cost(ours, images[:1])
        nets = {
            "ours": ours,
            "global": magnitude_pruned(model, images[:1], floor, everywhere=True),
            "local": magnitude_pruned(model, images[:1], floor, everywhere=False),
        }
        for name, net in nets.items():
            torch.manual_seed(seed)
            train(net, digits, 3, rate=3e-3)
            found[target, name] = wrong(net, digits)
    return found


def channels() -> list[Row]:
    runs = [pruned(seed) for seed in range(5)]
    rows = []
    for target in TARGETS:
        ours, everywhere, local = (mean(run[target, name] for run in runs) for name in ("ours", "global", "local"))
        name = f"Channels pruned to {target:.0%} of the multiply-adds, wrong answers"
        rows.append(Row(name, "%", ours, min(everywhere, local), "torch-pruning, magnitude"))
    return rows


def three_convolutions(width: int) -> list[nn.Module]:
    """From 28×28 to 7×7 and twice `width` channels."""
    layers: list[nn.Module] = []
    for inputs, outputs, size, stride in ((1, width, 5, 2), (width, 2 * width, 3, 2), (2 * width, 2 * width, 3, 1)):
        convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
    return layers


def teacher_net() -> nn.Sequential:
    return nn.Sequential(*three_convolutions(24), nn.Flatten(), nn.Dropout(0.5), nn.Linear(48 * 7 * 7, 10))


def student_net() -> nn.Sequential:
    return nn.Sequential(*three_convolutions(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@cache
def distilled(seed: int) -> tuple[float, float, float]:
    """Wrong answers in percent of the teacher, of the student alone, and of the student with the teacher."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    digits = load_digits("mnist")
    labelled = dataclasses.replace(
        digits, train_images=digits.train_images[:LABELS], train_labels=digits.train_labels[:LABELS]
    )
    teacher = teacher_net()
    train(teacher, labelled, TEACHER_STEPS // steps_per_epoch(labelled), rate=3e-3)
    answers = teacher_logits(teacher, torch.from_numpy(digits.normalize(digits.train_images)))
    alone = student_net()
    taught = copy.deepcopy(alone)
    train(alone, labelled, STUDENT_STEPS // steps_per_epoch(labelled), rate=3e-3)
    train(taught, digits, STUDENT_STEPS // steps_per_epoch(digits), rate=3e-3, answers=answers)
    return wrong(teacher, digits), wrong(alone, digits), wrong(taught, digits)


def student() -> list[Row]:
    teacher, alone, taught = map(mean, zip(*(distilled(seed) for seed in range(3)), strict=True))
    return [
        Row("Student, parameters", "1", parameters(student_net()), parameters(teacher_net()), "its teacher"),
        Row("Student with a teacher, wrong answers", "%", taught, teacher, "its teacher"),
        Row("Student with a teacher, wrong answers", "%", taught, alone, "the same student alone"),
    ]


BENCHES = {"qat": qat, "channels": channels, "student": student}
