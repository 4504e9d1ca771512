from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mil_harness import ct, mb, run

from pocketlab.runtimes import mil
from pocketlab.runtimes.mil._coremltools import quiet


def classify(probabilities, labels):
    from coremltools.converters.mil.mil import mil_list

    return run(lambda x: mb.classify(probabilities=x, classes=mb.const(val=mil_list(labels))), {"x": probabilities})


@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays(np.float32, st.sampled_from([(6,), (1, 6), (2, 3), (1, 6, 1, 1)]), elements=st.floats(0, 1, width=32), unique=True)
)
def test_the_label_of_the_highest_probability(probabilities):
    labels = [f"label {n}" for n in range(6)]
    label, table = classify(probabilities, labels)
    ranked = sorted(zip(probabilities.ravel().tolist(), labels, strict=True))
    assert label == ranked[-1][1]
    assert list(table) == labels
    assert sorted((p, name) for name, p in table.items()) == ranked


def test_labels_may_be_numbers():
    label, table = classify(np.float32([[0.25, 0.5, 0.25]]), [np.int64(7), np.int64(2**40), np.int64(-1)])
    assert label == 2**40
    assert table == {7: 0.25, 2**40: 0.5, -1: 0.25}
    assert all(type(key) is int and type(p) is float for key, p in table.items())


def test_of_equal_probabilities_the_first_wins():
    assert classify(np.float32([0.25, 0.375, 0.375]), ["a", "b", "c"])[0] == "b"


@pytest.mark.parametrize("labels", [["cat", "dog", "déjà vu"], [30, 10, 20]])
def test_a_converted_classifier(labels, tmp_path):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(1)).eval()
    with quiet():
        converted = ct.convert(
            torch.jit.trace(model, torch.rand(1, 4)),
            inputs=[ct.TensorType("x", (1, 4))],
            classifier_config=ct.ClassifierConfig(labels, predicted_feature_name="animal"),
            compute_precision=ct.precision.FLOAT32,
            minimum_deployment_target=ct.target.iOS16,
        )
        converted.save(str(tmp_path / "animals.mlpackage"))
    loaded = mil.load(tmp_path / "animals.mlpackage")
    for seed in range(5):
        x = torch.randn(1, 4, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            expected = model(x)[0]
        got = loaded.predict({"x": x.numpy()})
        assert list(got) == ["animal", "animal_probs"]
        assert got["animal"] == labels[int(expected.argmax())]
        assert isinstance(got["animal"], type(labels[0]))
        assert list(got["animal_probs"]) == labels
        # A sum of four products and a softmax of three: a few roundings of float32 to numbers below 1.
        np.testing.assert_allclose(list(got["animal_probs"].values()), expected.numpy(), rtol=0, atol=10 * 2**-23)
