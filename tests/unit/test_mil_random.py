from __future__ import annotations

import numpy as np
import pytest
import torch
from mil_harness import mb, run, run_operator
from scipy import stats

SHAPE = np.array([40, 50, 50], np.int32)
NAMES = ["random_bernoulli", "random_normal", "random_uniform"]

# Each test of a distribution has a fixed seed, and so a fixed outcome: it fails if the numbers of this seed are so unlikely.
UNLIKELY = 1e-3


def draw(name, seed, shape=SHAPE, **chosen):
    """Draw numbers whose shape the program is given when it runs."""
    return run_operator(name, {"shape": shape}, seed=seed, **chosen)[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_gives_the_same_numbers_each_time(name):
    first = draw(name, 7)
    assert first.shape == (40, 50, 50)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, draw(name, 7))
    assert (first != draw(name, 8)).any()
    assert (draw(name, 0) == draw(name, 0)).all()
    constant = run(lambda unused: getattr(mb, name)(shape=SHAPE, seed=7), {"unused": np.zeros(1, np.float32)})
    np.testing.assert_array_equal(first, constant[0])


@pytest.mark.parametrize("name", NAMES)
def test_without_a_seed_they_differ_and_other_random_numbers_stay_as_they_are(name):
    state = torch.get_rng_state()
    assert (draw(name, -1) != draw(name, -1)).any()
    assert (run_operator(name, {"shape": SHAPE})[0] != draw(name, -1)).any()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(0)
    one = draw(name, -1)
    torch.manual_seed(0)
    assert (one != draw(name, -1)).any()


def test_bernoulli():
    for prob in (0.0, 0.3, 1.0):
        numbers = draw("random_bernoulli", 1, prob=np.float32(prob))
        assert set(np.unique(numbers)) <= {0.0, 1.0}
        assert stats.binomtest(int(numbers.sum()), numbers.size, float(np.float32(prob))).pvalue > UNLIKELY
    assert 0.49 < draw("random_bernoulli", 1).mean() < 0.51


def test_normal():
    numbers = draw("random_normal", 1, mean=np.float32(-2), stddev=np.float32(3)).ravel()
    assert stats.kstest(numbers, stats.norm(-2, 3).cdf).pvalue > UNLIKELY
    assert stats.ttest_1samp(numbers, -2).pvalue > UNLIKELY
    assert abs(numbers.std() / 3 - 1) < 4 / np.sqrt(2 * numbers.size)  # four standard errors
    assert stats.kstest(draw("random_normal", 2).ravel(), stats.norm.cdf).pvalue > UNLIKELY


def test_uniform():
    numbers = draw("random_uniform", 1, low=np.float32(-2), high=np.float32(6)).ravel()
    assert numbers.min() >= -2
    assert numbers.max() < 6
    assert stats.kstest(numbers, stats.uniform(-2, 8).cdf).pvalue > UNLIKELY
    assert stats.kstest(draw("random_uniform", 2).ravel(), stats.uniform.cdf).pvalue > UNLIKELY


def test_uniform_never_gives_its_upper_end():
    low = np.float32(2**23)  # the next float32 is low + 1: half of the numbers would be rounded to it
    assert (draw("random_uniform", 1, low=low, high=low + np.float32(1)) == low).all()
    assert (draw("random_uniform", 1, low=low, high=low) == low).all()


PROBABILITIES = np.array([[0.1, 0.2, 0.7], [0.5, 0.0, 0.5]], np.float32)


@pytest.mark.parametrize("mode", ["probs", "logits"])
def test_categorical(mode):
    with np.errstate(divide="ignore"):
        x = 3 * PROBABILITIES if mode == "probs" else np.log(PROBABILITIES) - 5  # neither need add up to 1
    (drawn,) = run_operator("random_categorical", {"x": x}, mode=mode, size=20_000, seed=1)
    assert drawn.shape == (2, 20_000)
    assert drawn.dtype == np.float32
    for row, probabilities in zip(drawn, PROBABILITIES, strict=True):
        counts = np.bincount(row.astype(int), minlength=3)
        assert counts[probabilities == 0].sum() == 0
        possible = probabilities > 0
        assert stats.chisquare(counts[possible], 20_000 * probabilities[possible].astype(np.float64)).pvalue > UNLIKELY


def test_categorical_takes_each_row_by_itself_whatever_the_rank():
    x = np.where(np.arange(24).reshape(2, 3, 4) % 5 == 0, 0, -np.inf).astype(np.float32)
    x[~np.isfinite(x).any(-1), 0] = 0  # no row is without a possible one
    assert (np.isfinite(x).sum(-1) == 1).all()
    (drawn,) = run_operator("random_categorical", {"x": x}, size=2, seed=0)
    np.testing.assert_array_equal(drawn, np.repeat(x.argmax(-1)[..., None], 2, axis=-1))
    (one,) = run_operator("random_categorical", {"x": x[0, 0]})
    assert one.tolist() == [x[0, 0].argmax()]


def test_categorical_seeds():
    x = np.zeros(1000, np.float32)
    first, again, other, unseeded, unseeded_again = (
        run_operator("random_categorical", {"x": x}, size=50, seed=seed)[0] for seed in (3, 3, 4, -1, -1)
    )
    assert (first == again).all()
    assert (first != other).any()
    assert (unseeded != unseeded_again).any()
