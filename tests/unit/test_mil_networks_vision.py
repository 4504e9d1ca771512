"""Convolutional networks in the Core ML interpreter against torch. Limits, from the issue: 1e-4 in float32, 1e-2 in float16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mil_conversion import Precision, Through, convert, relative_error, scores
from mil_tasks import BATCH, Task, task

from pocketlab.runtimes import coreml, mil
from pocketlab.runtimes.mil._coremltools import import_coremltools, quiet

NETWORKS = ("mobilenet_v2", "mobilenet_v3", "resnet", "unet", "audio", "mobilevit")


def converted(trained: Task, path: Path, through: Through, precision: Precision) -> Any:
    example = trained.batches()[0]
    return mil.load(convert(trained.model, example, path, through, precision), precision=precision)


@pytest.mark.parametrize("name", NETWORKS)
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


# --- Weights of 8 bits --------------------------------------------------------------------------------------------------

EIGHT_BITS = {
    "per tensor": ("iOS16", "linear", {"granularity": "per_tensor"}),
    "per channel": ("iOS16", "linear", {"granularity": "per_channel"}),
    "with zero points": ("iOS16", "linear", {"mode": "linear"}),
    "unsigned": ("iOS16", "linear", {"mode": "linear", "dtype": "uint8"}),
    "iOS 18": ("iOS18", "linear", {"granularity": "per_channel"}),
    "in blocks": ("iOS18", "linear", {"granularity": "per_block", "block_size": 8}),
    "of a palette": ("iOS16", "palette", {"nbits": 8, "mode": "uniform"}),
    "of palettes": ("iOS18", "palette", {"nbits": 8, "mode": "uniform", "granularity": "per_grouped_channel", "group_size": 4}),
}


@pytest.fixture(scope="module")
def resnets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A package with whole weights for each target."""
    folder, trained = tmp_path_factory.mktemp("resnet"), task("resnet")
    return {
        target: coreml.export(trained.model, trained.inputs[0][:BATCH], folder / f"{target}.mlpackage", target=target).path
        for target in ("iOS16", "iOS18")
    }


@pytest.mark.parametrize("way", EIGHT_BITS)
def test_a_network_still_classifies_with_8_bit_weights(way: str, resnets: dict[str, Path], tmp_path: Path) -> None:
    target, kind, options = EIGHT_BITS[way]
    path = tmp_path / "small.mlpackage"
    with quiet():
        ct = import_coremltools()
        import coremltools.optimize.coreml as optimize

        compress, settings = {
            "linear": (optimize.linear_quantize_weights, optimize.OpLinearQuantizerConfig),
            "palette": (optimize.palettize_weights, optimize.OpPalettizerConfig),
        }[kind]
        config = optimize.OptimizationConfig(global_config=settings(weight_threshold=0, **options))
        compress(ct.models.MLModel(str(resnets[target]), skip_model_load=True), config).save(str(path))
    operators = coreml.inspect(path).operators
    assert sum(count for name, count in operators.items() if name.startswith("constexpr_")) >= operators["conv"]
    trained = task("resnet")
    right = (scores(mil.load(path), trained).argmax(1) == trained.labels.numpy()).mean()
    assert right == pytest.approx(trained.accuracy, abs=0.02)  # 8 bits cost next to nothing, and a wrong scale everything
