from __future__ import annotations

import numpy as np
import pytest

from pocketlab.compression.observers import Entropy, Histogram, MinimumError, MinMax, MovingAverage, Percentile
from pocketlab.compression.quantization import affine_params, dequantize, quantize

ALL = (MinMax, MovingAverage, Histogram, Percentile, MinimumError, Entropy)


def batches(seed=0, count=10):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(4, 50)).astype(np.float32) for _ in range(count)]


def seen(observer, data):
    for x in data:
        observer.observe(x)
    return observer.range()


def error(values, lo, hi, bits, symmetric=False):
    scale, zero = affine_params(lo, hi, bits=bits, symmetric=symmetric)
    return float(((values - dequantize(quantize(values, scale, zero, bits=bits), scale, zero)) ** 2).mean())


def test_min_max_holds_everything():
    data = batches()
    assert seen(MinMax(), data) == (np.min(data), np.max(data)) == seen(Histogram(), data)


def test_moving_average_is_the_recurrence_and_forgives_an_outlier():
    data = batches()
    lo, hi = data[0].min(), data[0].max()
    for x in data:
        lo, hi = lo + 0.1 * (x.min() - lo), hi + 0.1 * (x.max() - hi)
    assert seen(MovingAverage(0.1), data) == pytest.approx((lo, hi))
    data[5] = data[5].copy()
    data[5][0, 0] = 1000.0
    assert seen(MovingAverage(0.01), data)[1] < 20 < seen(MinMax(), data)[1]


def test_percentile_leaves_the_stated_share_inside():
    data = batches(count=200)
    lo, hi = seen(Percentile(99.0), data)
    values = np.concatenate([x.ravel() for x in data])
    inside = ((values >= lo) & (values <= hi)).mean()
    width = (values.max() - values.min()) / 2048
    at_the_ends = ((np.abs(values - lo) < 2 * width) | (np.abs(values - hi) < 2 * width)).mean()
    assert inside == pytest.approx(0.99, abs=at_the_ends + 1e-3)  # a bin at each end, and what regrouping moves
    assert seen(Percentile(100), data) == (values.min(), values.max())


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_minimum_error_is_no_worse_than_any_other_rule(bits):
    data = [x**3 for x in batches(count=40)]  # heavy tails
    values = np.concatenate([x.ravel() for x in data])
    best = error(values, *seen(MinimumError(bits), data), bits)
    for other in (MinMax(), Percentile(99.0), Percentile(99.9)):
        assert best <= error(values, *seen(other, data), bits) * 1.02  # the candidates are 1/80 apart
    if bits < 8:
        assert best < 0.7 * error(values, *seen(MinMax(), data), bits)


def test_entropy_cuts_a_long_tail_and_keeps_a_short_one():
    rng = np.random.default_rng(0)
    tail = np.concatenate([rng.normal(size=20_000), [60.0]])
    lo, hi = seen(Entropy(8), [tail])
    assert lo == -hi
    assert 3 < hi < 20
    lo, hi = seen(Entropy(8), [rng.uniform(-1, 1, 20_000)])
    assert hi > 0.95


def test_entropy_of_what_is_never_negative_begins_at_zero():
    assert seen(Entropy(8), [np.random.default_rng(0).uniform(0, 2, 5000)])[0] == 0


@pytest.mark.parametrize("make", ALL)
def test_the_range_may_come_from_one_value_or_from_zeros(make):
    assert seen(make(), [np.zeros(5)]) == (0, 0)
    lo, hi = seen(make(), [np.full(5, 3.0)])
    assert lo <= hi <= 3.01
    affine_params(lo, hi)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("bad", [np.array([]), np.array([np.nan]), np.array([1.0, np.inf])])
def test_a_batch_that_cannot_be_is_told_and_changes_nothing(make, bad):
    observer = make()
    observer.observe(np.array([-1.0, 2.0]))
    before = observer.range()
    with pytest.raises(ValueError, match="finite"):
        observer.observe(bad)
    assert observer.range() == before
    with pytest.raises(ValueError, match="observe"):
        make().range()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MovingAverage(0.0), "above 0"),
        (lambda: Percentile(101), "up to 100"),
        (lambda: Percentile(50), "above 50"),
        (lambda: MinimumError(0), "bits must"),
        (lambda: Entropy(17), "bits must"),
    ],
)
def test_impossible_settings_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
