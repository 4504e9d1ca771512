"""Packages compressed in every way that coremltools has, against the same packages after coremltools has decompressed them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from mil_harness import ct

from pocketlab.compression.quantization import sqnr_db
from pocketlab.runtimes import mil
from pocketlab.runtimes.mil._coremltools import quiet

cto = ct.optimize.coreml

COMPRESS = {
    cto.OpLinearQuantizerConfig: cto.linear_quantize_weights,
    cto.OpPalettizerConfig: cto.palettize_weights,
    cto.OpMagnitudePrunerConfig: cto.prune_weights,
    cto.OpThresholdPrunerConfig: cto.prune_weights,
}
THRESHOLD = {"weight_threshold": 1000}  # numbers: both weights of the network have more, no bias has


def quantize(dtype, granularity="per_channel", mode="linear_symmetric", **options):
    return cto.OpLinearQuantizerConfig(dtype=dtype, granularity=granularity, mode=mode, **options, **THRESHOLD)


def palettize(bits, mode="kmeans", **options):
    return cto.OpPalettizerConfig(nbits=bits, mode=mode, **options, **THRESHOLD)


def prune(**options):
    return cto.OpMagnitudePrunerConfig(**options, **THRESHOLD)


class Net(torch.nn.Module):
    """A convolution of 1,152 weights and a linear layer of 4,096. levels: round the weights to so many steps per 1."""

    def __init__(self, levels=None):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.linear = torch.nn.Conv2d(8, 16, 3), torch.nn.Linear(256, 16)
        for layer in (self.conv, self.linear) if levels else ():
            layer.weight.data = (layer.weight.data * levels).round() / levels

    def forward(self, x):
        return self.linear(torch.relu(self.conv(x)).flatten(1))


def convert(model, target, precision=ct.precision.FLOAT32):
    with quiet():
        return ct.convert(
            torch.jit.trace(model.eval(), torch.rand(1, 8, 6, 6)),
            inputs=[ct.TensorType("x", (1, 8, 6, 6))],
            outputs=[ct.TensorType("y")],
            compute_precision=precision,
            minimum_deployment_target=ct.target[target],
        )


@pytest.fixture(scope="module")
def converted():
    return {target: convert(Net(), target) for target in ("iOS16", "iOS18")}


@pytest.fixture(scope="module")
def x():
    return torch.randn(1, 8, 6, 6, generator=torch.Generator().manual_seed(1)).numpy()


def compress(model, *configurations):
    """Compress a model once for each configuration, each after the first on top of what is compressed already."""
    for number, configuration in enumerate(configurations):
        joint = {"joint_compression": True} if number else {}
        with quiet():
            model = COMPRESS[type(configuration)](model, cto.OptimizationConfig(configuration), **joint)
    return model


def load(model, path, precision="float32"):
    with quiet():
        model.save(str(path))
    return mil.load(path, precision=precision)


def operations(model):
    load_program = ct.converters.mil.frontend.milproto.load.load
    program = load_program(model.get_spec(), model.get_spec().specificationVersion, model.weights_dir)
    return [op for op in program.functions["main"].operations if op.op_type != "const"]


def constexprs(model):
    """Return how many operators of each kind expand the weights of a model."""
    kinds = Counter(op.op_type for op in operations(model))
    return {kind.removeprefix("constexpr_"): n for kind, n in kinds.items() if kind.startswith("constexpr_")}


def assert_same_as_decompressed(model, x, folder, precision="float32"):
    """Every weight and every output is, bit by bit, what coremltools' decompression of the package leads to."""
    with quiet():
        decompressed = cto.decompress_weights(model)
    assert constexprs(decompressed) == {}
    compressed, plain = (load(m, folder / f"{n}.mlpackage", precision) for n, m in enumerate((model, decompressed)))
    weights = [name for name in plain.tensors if "weight" in name and name in compressed.tensors]
    assert len(weights) == 2
    ours, theirs = (loaded.predict({"x": x}, keep=weights) for loaded in (compressed, plain))
    for name in ("y", *weights):
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int4", "uint4"])
@pytest.mark.parametrize(
    ("granularity", "mode"),
    [("per_tensor", "linear"), ("per_channel", "linear"), ("per_channel", "linear_symmetric"), ("per_block", "linear")],
)
def test_quantized_weights(converted, x, tmp_path, dtype, granularity, mode):
    model = compress(converted["iOS18"], quantize(dtype, granularity, mode, block_size=4))
    assert constexprs(model) == {"blockwise_shift_scale": 2}
    assert_same_as_decompressed(model, x, tmp_path)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(("granularity", "mode"), [("per_tensor", "linear"), ("per_channel", "linear_symmetric")])
def test_quantized_weights_of_ios16(converted, x, tmp_path, dtype, granularity, mode):
    model = compress(converted["iOS16"], quantize(dtype, granularity, mode))
    assert constexprs(model) == {"affine_dequantize": 2}
    assert_same_as_decompressed(model, x, tmp_path)


def test_blocks_of_any_shape(converted, x, tmp_path):
    blocks = {"conv": (4, 2, 1, 3), "linear": (2, 32)}
    configurations = {kind: quantize("int4", "per_block", block_size=block) for kind, block in blocks.items()}
    with quiet():
        model = cto.linear_quantize_weights(converted["iOS18"], cto.OptimizationConfig(op_type_configs=configurations))
    scales = {op.scale.shape for op in operations(model) if op.op_type == "constexpr_blockwise_shift_scale"}
    assert scales == {(4, 4, 3, 1), (8, 8)}
    assert_same_as_decompressed(model, x, tmp_path)


@pytest.mark.parametrize(
    ("target", "bits", "mode"),
    [
        *(("iOS16", bits, "uniform") for bits in (1, 2, 4, 6, 8)),
        *(("iOS18", bits, "kmeans") for bits in (1, 2, 3, 4, 6, 8)),
    ],
)
def test_palettes(converted, x, tmp_path, target, bits, mode):
    model = compress(converted[target], palettize(bits, mode))
    assert constexprs(model) == {"lut_to_dense": 2}
    assert_same_as_decompressed(model, x, tmp_path)


@pytest.mark.parametrize("target", ["iOS16", "iOS18"])
def test_a_palette_of_all_values_loses_nothing(x, tmp_path, target):
    net = Net(levels=64)  # with fewer, coremltools makes a palette of 3 bits, which iOS 16 has not
    model = compress(convert(net, target), palettize(None, "unique"))
    assert constexprs(model) == {"lut_to_dense": 2}
    assert_same_as_decompressed(model, x, tmp_path)
    kept = load(model, tmp_path / "unique.mlpackage")
    names = [name for name in kept.tensors if name.endswith(("weight", "weight_palettized"))]
    results = kept.predict({"x": x}, keep=names)
    np.testing.assert_array_equal(results[names[0]], net.conv.weight.detach().numpy())
    np.testing.assert_array_equal(results[names[1]], net.linear.weight.detach().numpy())


@pytest.mark.parametrize(
    ("bits", "options"),
    [
        *((bits, {"granularity": "per_grouped_channel", "group_size": 4}) for bits in (1, 3, 6)),
        (2, {"granularity": "per_grouped_channel", "group_size": 4, "channel_axis": 1}),
        *((bits, {"cluster_dim": 2}) for bits in (1, 3, 6)),
        (4, {"granularity": "per_grouped_channel", "group_size": 8, "cluster_dim": 4}),
    ],
)
def test_palettes_of_groups_and_vectors(converted, x, tmp_path, bits, options):
    model = compress(converted["iOS18"], palettize(bits, **options))
    assert constexprs(model) == {"lut_to_dense": 2}
    assert_same_as_decompressed(model, x, tmp_path)


@pytest.mark.parametrize("options", [{}, {"granularity": "per_grouped_channel", "group_size": 4}])
def test_palettes_with_a_scale_for_each_channel(converted, x, tmp_path, options):
    model = compress(converted["iOS18"], palettize(4, enable_per_channel_scale=True, **options))
    assert constexprs(model) == {"lut_to_dense": 2, "blockwise_shift_scale": 2}
    assert_same_as_decompressed(model, x, tmp_path)


@pytest.mark.parametrize("target", ["iOS16", "iOS18"])
@pytest.mark.parametrize(
    "configuration",
    [
        prune(target_sparsity=0.5),
        prune(target_sparsity=0.75, block_size=4),
        prune(n_m_ratio=(2, 4)),
        prune(n_m_ratio=(1, 2), dim=0),
        cto.OpThresholdPrunerConfig(threshold=0.03, minimum_sparsity_percentile=0.1, **THRESHOLD),
    ],
)
def test_pruned_weights(converted, x, tmp_path, target, configuration):
    model = compress(converted[target], configuration)
    assert constexprs(model) == {"sparse_to_dense": 2}
    assert_same_as_decompressed(model, x, tmp_path)


# coremltools itself refuses scales per channel or vectors for weights that are pruned, and n:m for ones already compressed.
SPARSE_QUANTIZED = {"sparse_blockwise_shift_scale": 2, "sparse_to_dense": 2}
SPARSE_PALETTE = {"lut_to_sparse": 2, "sparse_to_dense": 2}
HALF, TWO_OF_FOUR = prune(target_sparsity=0.5), prune(n_m_ratio=(2, 4))


@pytest.mark.parametrize(
    ("configurations", "expected"),
    [
        *(((HALF, quantize(dtype)), SPARSE_QUANTIZED) for dtype in ("int8", "uint4")),
        ((TWO_OF_FOUR, quantize("uint8", "per_tensor", "linear")), SPARSE_QUANTIZED),
        ((HALF, quantize("int4", "per_block", block_size=8)), SPARSE_QUANTIZED),
        ((quantize("int8"), HALF), SPARSE_QUANTIZED),
        *(((HALF, palettize(bits)), SPARSE_PALETTE) for bits in (1, 3, 8)),
        ((TWO_OF_FOUR, palettize(4, granularity="per_grouped_channel", group_size=4)), SPARSE_PALETTE),
        ((palettize(4), HALF), SPARSE_PALETTE),
        ((palettize(4), quantize("int8", "per_tensor")), {"blockwise_shift_scale": 2, "lut_to_dense": 2}),
        ((palettize(6, cluster_dim=2), quantize("int8", "per_tensor")), {"blockwise_shift_scale": 2, "lut_to_dense": 2}),
        (
            (palettize(4, granularity="per_grouped_channel", group_size=4), quantize("uint8", "per_tensor", "linear")),
            {"blockwise_shift_scale": 2, "lut_to_dense": 2},
        ),
        ((HALF, palettize(4), quantize("int8", "per_tensor")), {"blockwise_shift_scale": 2, **SPARSE_PALETTE}),
    ],
)
def test_one_compression_on_top_of_another(converted, x, tmp_path, configurations, expected):
    model = compress(converted["iOS18"], *configurations)
    assert constexprs(model) == expected
    assert_same_as_decompressed(model, x, tmp_path)


@pytest.mark.parametrize(
    "configuration",
    [
        quantize("int8", mode="linear"),
        quantize("int4", "per_block", block_size=4),
        palettize(6, cluster_dim=2),
    ],
)
def test_weights_in_float16(x, tmp_path, configuration):
    # Only computed in float16: in float32 a scale times a number is not rounded, and coremltools' weights are.
    model = compress(convert(Net(), "iOS18", ct.precision.FLOAT16), configuration)
    assert sum(constexprs(model).values()) == 2
    assert_same_as_decompressed(model, x, tmp_path, "float16")


def test_quantized_activations(x, tmp_path, monkeypatch):
    model = convert(Net(), "iOS17", ct.precision.FLOAT16)
    samples = [{"x": row[np.newaxis]} for row in np.random.default_rng(2).standard_normal((8, 8, 6, 6), np.float32)]
    # coremltools measures the activations' ranges by running the model, for which it needs macOS: here our interpreter runs it.
    names = [output.name for op in operations(model) for output in op.outputs]
    measured = load(model, tmp_path / "float.mlpackage")
    rows = [{**sample, **measured.predict(sample, keep=names)} for sample in samples]
    tensors = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    ranges = {name: {"rmin": tensor.min(), "rmax": tensor.max()} for name, tensor in tensors.items()}
    monkeypatch.setattr(cto._post_training_quantization, "_get_activation_calibration_stats", lambda *_: ranges)
    symmetric = cto.OptimizationConfig(cto.OpLinearQuantizerConfig(mode="linear_symmetric"))
    with quiet():
        model = cto.linear_quantize_activations(model, symmetric, samples)
    model = compress(model, quantize("int8"))
    assert_same_as_decompressed(model, x, tmp_path, "float16")

    pairs = [op for op in operations(model) if op.op_type in ("quantize", "dequantize")]
    assert Counter(op.op_type for op in pairs) == {"quantize": 2, "dequantize": 2}
    names = [var.name for op in pairs for var in (op.input, *op.outputs)]
    kept = load(model, tmp_path / "w8a8.mlpackage").predict({"x": x}, keep=names)
    for op in pairs:
        source, scale = kept[op.input.name].astype(np.float32), np.float32(op.scale.val)
        expected = np.clip(np.rint(source / scale), -128, 127) if op.op_type == "quantize" else source * scale
        np.testing.assert_array_equal(kept[op.outputs[0].name], expected)
    # Weights and two activations of 8 bits, each about 40 dB below its tensor; without a scale there would be no signal.
    assert sqnr_db(measured.predict({"x": x})["y"], kept["y"]) > 30
