from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pocketlab.compression.distillation import (
    FeatureMatching,
    attention_map,
    attention_transfer_loss,
    distillation_loss,
    features_of,
    soft_target_loss,
    soften,
    teacher_logits,
)


def logits(seed, rows=6, classes=5):
    return torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_temperature_makes_classes_more_equal_and_keeps_their_order():
    z = torch.tensor([[4.0, 2.0, 0.0]])
    cold, warm, hot = (soften(z, t)[0] for t in (1.0, 4.0, 1e6))
    assert cold.max() > warm.max() > hot.max()
    assert warm.argsort().tolist() == cold.argsort().tolist()
    np.testing.assert_allclose(hot, [1 / 3] * 3, atol=1e-6)


def test_loss_is_the_divergence_written_out():
    student, teacher = logits(0), logits(1)
    p, q = soften(teacher, 3.0), soften(student, 3.0)
    expected = 9 * (p * (p / q).log()).sum(1).mean()
    assert soft_target_loss(student, teacher, 3.0) == pytest.approx(float(expected), rel=1e-12)
    assert soft_target_loss(teacher, teacher, 3.0) == pytest.approx(0, abs=1e-12)


def test_t_squared_keeps_the_gradients_size():
    """At high temperature the gradient tends to (z − v)/(N·batch), with the means taken off, whatever T is (Hinton, eq. 4)."""
    teacher = logits(1)
    limits = []
    for temperature in (100.0, 1000.0):
        student = logits(0).requires_grad_()
        soft_target_loss(student, teacher, temperature).backward()
        limits.append(student.grad)
    z, v = logits(0), teacher
    expected = ((z - z.mean(1, keepdim=True)) - (v - v.mean(1, keepdim=True))) / z.shape[1] / len(z)
    # The next term of the expansion is of order z/T: 3 / 100.
    np.testing.assert_allclose(limits[0], expected, rtol=0, atol=0.03 * expected.abs().max())
    np.testing.assert_allclose(limits[1], expected, rtol=0, atol=0.003 * expected.abs().max())


def test_the_teacher_gets_no_gradient():
    teacher = logits(1).requires_grad_()
    soft_target_loss(logits(0).requires_grad_(), teacher, 2.0).backward()
    assert teacher.grad is None


def test_labels_and_teacher_share_by_alpha():
    student, teacher, labels = logits(0), logits(1), torch.arange(6) % 5
    hard = nn.functional.cross_entropy(student, labels)
    soft = soft_target_loss(student, teacher, 2.0)
    assert distillation_loss(student, teacher, labels, temperature=2.0, alpha=0.25) == pytest.approx(
        float(0.25 * soft + 0.75 * hard)
    )
    assert distillation_loss(student, teacher, None, temperature=2.0, alpha=0.25) == pytest.approx(float(soft))


def test_feature_matching_can_reach_zero_through_its_map():
    torch.manual_seed(0)
    student = torch.randn(16, 4, 3, 3)
    teacher = torch.einsum("oc,bchw->bohw", torch.randn(6, 4), student)
    match = FeatureMatching(4, 6)
    optimizer = torch.optim.Adam(match.parameters(), lr=0.05)
    first = float(match(student, teacher))
    for _ in range(400):
        optimizer.zero_grad()
        match(student, teacher).backward()
        optimizer.step()
    assert float(match(student, teacher)) < 1e-3 * first


def test_attention_does_not_depend_on_scale_or_number_of_channels():
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(attention_map(x).norm(dim=1), [1, 1], rtol=1e-6)
    wide = torch.cat([x, x], 1) * 7
    assert float(attention_transfer_loss([x], [wide])) == pytest.approx(0, abs=1e-12)
    assert float(attention_transfer_loss([x], [x.flip(3)])) > 1e-4


def test_features_are_collected_only_inside_the_block():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    with features_of(model, ["0", "1"]) as found:
        model(torch.ones(4, 2))
        assert {name: tuple(f.shape) for name, f in found.items()} == {"0": (4, 3), "1": (4, 3)}
        assert torch.equal(found["1"], found["0"].relu())
    found.clear()
    model(torch.ones(4, 2))
    assert not found


def test_the_teachers_answers_are_those_of_evaluation_mode():
    teacher = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    x = torch.randn(10, 2)
    got = teacher_logits(teacher, x, batch=3)
    assert teacher.training
    assert not got.requires_grad
    assert torch.allclose(got, teacher.eval()(x))


def test_what_cannot_be_is_told():
    z = logits(0)
    for call, message in (
        (lambda: soften(z, 0.0), "temperature has to be positive"),
        (lambda: soft_target_loss(z, z, float("nan")), "temperature"),
        (lambda: soft_target_loss(z, logits(1, classes=4), 2.0), r"\(6, 5\) and \(6, 4\)"),
        (lambda: soft_target_loss(z[:0], z[:0], 2.0), r"\(0, 5\)"),
        (lambda: distillation_loss(z, z, None, alpha=1.5), "from 0 to 1; got 1.5"),
        (lambda: FeatureMatching(0, 3), "at least one channel"),
        (lambda: FeatureMatching(2, 3)(torch.ones(1, 2, 4), torch.ones(1, 3, 5)), r"\(1, 2, 4\)"),
        (lambda: attention_transfer_loss([], []), "got 0 and 0"),
        (lambda: attention_transfer_loss([torch.ones(1, 2, 4)], [torch.ones(1, 2, 5)]), "differ in size"),
        (lambda: features_of(nn.Sequential(nn.ReLU()), ["9"]).__enter__(), "no layer '9'"),
        (lambda: teacher_logits(nn.ReLU(), torch.ones(0, 2)), "at least one input"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
