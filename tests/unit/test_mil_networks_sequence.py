"""Networks for sequences in the Core ML interpreter against torch. Limits, from the issue: 1e-4 in float32, 1e-2 in float16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mil_conversion import Precision, Through, convert, convert_llama, relative_error, scores
from mil_sequences import CachedLlama, causal_mask
from mil_tasks import BATCH, Task, task

from pocketlab.runtimes import mil

NETWORKS = ("lstm", "gru", "transformer", "bert")


def converted(trained: Task, path: Path, through: Through, precision: Precision) -> Any:
    example = trained.batches()[0]
    return mil.load(convert(trained.model, example, path, through, precision), precision=precision)


@pytest.mark.parametrize("name", [*NETWORKS, "llama"])
def test_a_network_has_learned_enough_to_be_compared(name: str) -> None:
    assert task(name).accuracy > 0.75


@pytest.mark.parametrize("through", ["trace", "export"])
@pytest.mark.parametrize("name", NETWORKS)
def test_float32_is_what_torch_computes(name: str, through: Through, tmp_path: Path) -> None:
    model = converted(task(name), tmp_path / "a.mlpackage", through, "float32")
    assert relative_error(scores(model, task(name)), task(name).scores) <= 1e-4


@pytest.mark.parametrize("through", ["trace", "export"])
@pytest.mark.parametrize("name", NETWORKS)
def test_float16_chooses_what_float32_chose(name: str, through: Through, tmp_path: Path) -> None:
    trained = task(name)
    ours = scores(converted(trained, tmp_path / "a.mlpackage", through, "float16"), trained)
    assert relative_error(ours, trained.scores) <= 1e-2
    assert (ours.argmax(1) == trained.scores.numpy().argmax(1)).mean() >= 0.999


# --- Llama --------------------------------------------------------------------------------------------------------------


def llama(path: Path, through: Through, precision: Precision) -> Any:
    cached = CachedLlama(task("llama").model, BATCH)
    return mil.load(convert_llama(cached, path, through, precision), precision=precision)


@pytest.fixture(scope="module")
def float32_llama(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return llama(tmp_path_factory.mktemp("llama") / "a.mlpackage", "trace", "float32")


def follow(model: Any, state: Any, tokens: torch.Tensor, start: int = 0) -> np.ndarray:
    """Return the logits (batch, new, vocabulary) of tokens that follow `start` others."""
    mask = causal_mask(tokens.shape[1], start + tokens.shape[1])
    return model.predict({"tokens": tokens, "mask": mask}, state)["y"]


def one_by_one(model: Any) -> np.ndarray:
    """Return the logits (sentences, vocabulary, time), each sentence read token by token from an empty state."""
    parts = []
    for (tokens,) in task("llama").batches():
        state = model.make_state()
        parts.append(np.concatenate([follow(model, state, tokens[:, [t]], t) for t in range(tokens.shape[1])], 1))
    return np.concatenate(parts).transpose(0, 2, 1)


@pytest.mark.parametrize("through", ["trace", "export"])
def test_a_llama_with_state_computes_what_torch_does_without(through: Through, tmp_path: Path) -> None:
    ours = one_by_one(llama(tmp_path / "a.mlpackage", through, "float32"))
    assert relative_error(ours, task("llama").scores) <= 1e-4


@pytest.mark.parametrize("through", ["trace", "export"])
def test_a_llama_in_float16_says_the_same_words(through: Through, tmp_path: Path) -> None:
    ours, trained = one_by_one(llama(tmp_path / "a.mlpackage", through, "float16")), task("llama")
    assert relative_error(ours, trained.scores) <= 1e-2
    decided = trained.labels.numpy() >= 0  # elsewhere the grammar leaves the next word open
    assert (ours.argmax(1) == trained.scores.numpy().argmax(1))[decided].mean() >= 0.999


def test_a_llama_may_read_several_tokens_at_once(float32_llama: Any) -> None:
    ((tokens,), *_), state = task("llama").batches(), float32_llama.make_state()
    first, second = follow(float32_llama, state, tokens[:, :7]), follow(float32_llama, state, tokens[:, 7:], 7)
    ours = np.concatenate([first, second], 1).transpose(0, 2, 1)
    assert relative_error(ours, task("llama").scores[:BATCH]) <= 1e-4


def test_two_states_do_not_disturb_each_other(float32_llama: Any) -> None:
    ((ours,), (others,), *_) = task("llama").batches()
    alone = float32_llama.make_state()
    expected = [follow(float32_llama, alone, ours[:, [t]], t) for t in range(6)]
    state, other_state = float32_llama.make_state(), float32_llama.make_state()
    for t in range(6):
        got = follow(float32_llama, state, ours[:, [t]], t)
        follow(float32_llama, other_state, others[:, [t]], t)
        assert np.array_equal(got, expected[t])
    assert np.abs(state.read_state("keys") - other_state.read_state("keys")).max() > 0.1
