"""The shipped models load, and a file that is not theirs is refused by the tensor at fault."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pocketlab.data.tensors import load_tensors, save_tensors
from pocketlab.errors import ModelFileError
from pocketlab.llm.model import Decoder
from pocketlab.llm.shipped import FOLDER, load_shipped, save_shipped
from pocketlab.llm.train import RECIPES


@pytest.fixture(scope="module")
def draft(tmp_path_factory: pytest.TempPathFactory) -> tuple[Decoder, Path]:
    torch.manual_seed(0)
    model = Decoder(RECIPES["draft"].config).eval()
    model.blocks[0].attention.key.weight.data[3] = 0
    return model, save_shipped(model, tmp_path_factory.mktemp("shipped") / "draft.safetensors")


def test_each_weight_comes_back_within_half_a_step_of_its_row(draft: tuple[Decoder, Path]) -> None:
    model, path = draft
    loaded = load_shipped("draft", path)
    assert loaded.output.weight is loaded.embedding.weight
    assert not loaded.training
    for (name, before), (_, after) in zip(model.named_parameters(), loaded.named_parameters(), strict=True):
        step = before.detach().abs().amax(-1, keepdim=True) / 127 if before.ndim == 2 else torch.zeros(1)
        assert ((before - after).abs() <= 0.5001 * step).all(), name


def test_both_models_ship_in_at_most_16_mb_each() -> None:
    for name in ("target", "draft"):
        assert (FOLDER / f"{name}.safetensors").stat().st_size <= 16e6
        model = load_shipped(name)
        assert model.config == RECIPES[name].config
        assert model(torch.tensor([[5, 6]])).isfinite().all()


DAMAGE = {
    "lacks blocks.1.feed_forward.up.weight": lambda t: t.pop("blocks.1.feed_forward.up.weight"),
    "embedding.weight has the shape \\(2048, 95\\), and expected is \\(2048, 96\\)": lambda t: t.update(
        {"embedding.weight": t["embedding.weight"][:, 1:]}
    ),
    "embedding.weight is of type torch.float32, and expected is torch.int8": lambda t: t.update(
        {"embedding.weight": t["embedding.weight"].float()}
    ),
    "norm.weight holds numbers that are not finite": lambda t: t["norm.weight"].fill_(torch.nan),
    "has more.weight, for which the model has no place": lambda t: t.update({"more.weight": torch.zeros(1)}),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_a_file_that_does_not_fit_is_refused_by_its_tensor(
    message: str, draft: tuple[Decoder, Path], tmp_path: Path
) -> None:
    tensors = load_tensors(draft[1])
    DAMAGE[message](tensors)
    with pytest.raises(ModelFileError, match=message):
        load_shipped("draft", save_tensors(tensors, tmp_path / "other.safetensors"))


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match='"target" and "draft"'):
        load_shipped("giant")  # type: ignore[arg-type]
