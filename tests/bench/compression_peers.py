"""Palettes beside coremltools', and the noise of int8 beside that of ai-edge-quantizer's files.

Palettes: both sides store them in half precision, as Core ML does. What coremltools' `palettize_weights` runs depends on the
weights. In half precision, 10,000 or more to a palette, it solves k-means exactly too (kmeans1d, in C++): ours is "exact". In
single precision it takes scikit-learn's k-means++: ours rounds the weights to half precision and is "exact". To fewer than
10,000 weights a palette it takes scikit-learn's as well: ours is "lloyd". Times are processor seconds of the fastest of some
runs, one thread.

Noise of int8: ours is the float network in torch with weights and activations put on the grids that the functions of
`pocketlab.compression` give, from the same calibration inputs; theirs is the file, run by XNNPACK or by LiteRT's own kernels.
More decibels are better, but here neither side should have any on the other: they follow one recipe.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from bench import runtimes
from bench.row import Row
from pocketlab.compression.observers import MinMax
from pocketlab.compression.palettization import Method, palettize
from pocketlab.compression.quantization import affine_params, dequantize, quantize, sqnr_db, weight_scales
from pocketlab.data.digits import load_digits
from pocketlab.data.models import lenet_300_100, train_digits
from pocketlab.data.training import fit
from pocketlab.runtimes import litert
from pocketlab.runtimes.mil._coremltools import import_coremltools

BITS = (2, 4, 6)
RUNS = 3


def heavy_tailed() -> np.ndarray:
    """Random weights of a convolution; Student's t has tails as trained weights have."""
    return 0.03 * np.random.default_rng(0).standard_t(4, (256, 256, 3, 3))


def trained() -> np.ndarray:
    """The first layer of a LeNet-300-100, (300, 784), after training on scikit-learn's digits, enlarged to 28×28."""
    digits = load_digits("digits")
    images = nn.functional.interpolate(torch.from_numpy(digits.normalize(digits.train_images)), (28, 28), mode="bilinear")
    torch.manual_seed(0)
    model = fit(lenet_300_100(), images, torch.from_numpy(digits.train_labels), epochs=15, rate=1e-3)
    return next(model.parameters()).detach().numpy()


def coremltools_palettes(weights: np.ndarray, bits: int, channels: int) -> np.ndarray:
    """The weights that coremltools stores: what its `palettize_weights` runs on each weight with mode="kmeans"."""
    from coremltools.optimize.coreml._quantization_passes import palettize_weights

    stored = palettize_weights.grouped_channelwise_compress(weights, "KMEANS", bits, 0, channels)
    return palettize_weights.decompress(stored)


def our_palettes(weights: np.ndarray, bits: int, channels: int, method: Method) -> np.ndarray:
    stored = palettize(weights.astype(np.float16), bits, group_channels=channels, method=method)
    return dataclasses.replace(stored, palettes=stored.palettes.astype(np.float16)).weights()


def error_and_seconds(palettized: Callable[[], np.ndarray], weights: np.ndarray) -> tuple[float, float]:
    """Mean squared error, and the processor seconds of the fastest run."""
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        stored = palettized()
        seconds.append(time.process_time() - start)
    return float(np.square(stored.astype(np.float64) - weights).mean()), min(seconds)


def palettes() -> list[Row]:
    from threadpoolctl import threadpool_limits

    import_coremltools()
    random, layer = heavy_tailed(), trained()
    cases: list[tuple[str, np.ndarray, int, Method]] = [
        ("random, one palette", random.astype(np.float16), 256, "exact"),
        ("random, one per 32 channels", random.astype(np.float16), 32, "exact"),
        ("random, one per 4 channels", random.astype(np.float16), 4, "lloyd"),
        ("random float32, one palette", random.astype(np.float32), 256, "exact"),
        ("trained, one palette", layer.astype(np.float16), 300, "exact"),
        ("trained, one per 30 channels", layer.astype(np.float16), 30, "exact"),
        ("trained, one per 10 channels", layer.astype(np.float16), 10, "lloyd"),
        ("trained float32, one palette", layer, 300, "exact"),
    ]
    rows = []
    with threadpool_limits(1):
        for (name, weights, channels, method), bits in itertools.product(cases, BITS):
            ours = error_and_seconds(functools.partial(our_palettes, weights, bits, channels, method), weights)
            theirs = error_and_seconds(functools.partial(coremltools_palettes, weights, bits, channels), weights)
            for unit, mine, other in zip(("mean square", "s"), ours, theirs, strict=True):
                rows.append(Row(f"palettize {bits} bits, {name}, {method}", unit, mine, other, "coremltools"))
    return rows


class Place:
    """A place in a network: watches the range of what passes, and after `fix` puts what passes on the int8 grid of that range."""

    def __init__(self) -> None:
        self.seen = MinMax()
        self.grid: tuple[float, int] | None = None

    def fix(self) -> None:
        self.grid = affine_params(*self.seen.range())

    def __call__(self, x: Tensor) -> Tensor:
        if self.grid is None:
            self.seen.observe(x.numpy())
            return x
        return torch.from_numpy(dequantize(quantize(x.numpy(), *self.grid), *self.grid))


def int8_copy(model: nn.Module, calibration: Tensor) -> nn.Module:
    """A copy of a float network with batch norm folded, with weights and activations on int8 grids as in its .tflite file.

    Activations are on grids at the input, behind each ReLU6, and before and behind each linear layer.
    """
    copied = copy.deepcopy(model)
    layers = [module for module in copied.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    places = []
    for module in copied.modules():
        if module is layers[0] or isinstance(module, nn.Linear):
            places.append(Place())
            module.register_forward_pre_hook(lambda _, inputs, place=places[-1]: place(inputs[0]))
        if isinstance(module, (nn.ReLU6, nn.Linear)):
            places.append(Place())
            module.register_forward_hook(lambda _, __, output, place=places[-1]: place(output))
    for row in calibration.split(1):
        copied(row)
    for place in places:
        place.fix()
    for layer in layers:
        layer.weight.copy_(torch.from_numpy(on_grid(layer.weight.numpy())))
    return copied


def on_grid(weight: np.ndarray) -> np.ndarray:
    """A weight (output channels, …) after int8, one symmetric scale for each channel."""
    scales = weight_scales(weight)
    return dequantize(quantize(weight, scales, narrow_range=True), scales)


def constants(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The convolutions' and linear layers' weights of a .tflite file, and their scales, by name; output channels first."""
    interpreter = litert.load(path, xnnpack=False)._interpreter
    found = {}
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    for node in interpreter._get_ops_details():
        if node["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            tensor = details[node["inputs"][1]]
            axis = 3 if node["op_name"] == "DEPTHWISE_CONV_2D" else 0
            found[tensor["name"]] = (
                np.moveaxis(interpreter.get_tensor(tensor["index"]), axis, 0),
                tensor["quantization_parameters"]["scales"],
            )
    return found


def weights_sqnr_db(float_path: Path, int8_path: Path) -> tuple[float, float]:
    """SQNR by ours and in their file of the weight for which the two differ most."""
    stored = constants(int8_path)
    pairs = [
        (sqnr_db(weight, on_grid(weight)), sqnr_db(weight, dequantize(*stored[name])))
        for name, (weight, _) in constants(float_path).items()
    ]
    return max(pairs, key=lambda pair: abs(pair[0] - pair[1]))


@torch.no_grad()
def int8_sqnr() -> list[Row]:
    digits = load_digits("digits")
    pixels = [torch.from_numpy(digits.normalize(images)) for images in (digits.train_images[:100], digits.test_images)]
    colors = torch.randn(24, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.enable_grad():
        trained_net = train_digits(digits)
    cases = [("DigitsNet", trained_net, *pixels), ("MobileNet", runtimes.mobile_net(), colors[:8], colors[8:])]
    rows = []
    for name, model, calibration, inputs in cases:
        folded = fuse(model)
        wanted = folded(inputs).numpy()
        ours = sqnr_db(wanted, int8_copy(folded, calibration)(inputs).numpy())
        with tempfile.TemporaryDirectory() as folder:
            float_path = litert.export(model, inputs[:1], Path(folder) / "float.tflite").path
            int8_path = litert.quantize_file(
                float_path, Path(folder) / "int8.tflite", "static_int8", representative=calibration.numpy()
            ).path
            for xnnpack, kernels in ((True, "XNNPACK"), (False, "LiteRT's kernels")):
                theirs = sqnr_db(wanted, litert.load(int8_path, xnnpack=xnnpack)(inputs.numpy()))
                rows.append(Row(f"SQNR of int8 {name}'s output", "dB", ours, theirs, f"ai-edge-quantizer, {kernels}"))
            worst = weights_sqnr_db(float_path, int8_path)
            rows.append(Row(f"SQNR of int8 {name}'s worst weight", "dB", *worst, "ai-edge-quantizer"))
    return rows


BENCHES = {"palettes": palettes, "int8_sqnr": int8_sqnr}
