"""The child that `keras_child` starts: train a small Keras network and convert it. Its one argument is a folder.

In: `data.npz` (train_images, train_labels, test_images, representative) and `options.json` (epochs, seed).
Out: `float.tflite`, `int8.tflite`, `model.mlpackage`, `logits.npy`, `report.json`. It may print what it likes.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pocketlab.runtimes.memory import own_peak_mb

# TensorFlow imports the first, Keras the second, both only if installed and neither for anything that is used here.
_HIDDEN_FROM_TENSORFLOW = ("jax", "sklearn")
# Loaded by coremltools if installed, to see whether it could convert from it.
_HIDDEN_FROM_COREMLTOOLS = "torch"


def main(folder: Path) -> None:
    """Do the work in `folder`."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow")
    hide(*_HIDDEN_FROM_TENSORFLOW)
    with np.load(folder / "data.npz", allow_pickle=False) as data:
        train_images, train_labels = data["train_images"], data["train_labels"]
        test_images, representative = data["test_images"], data["representative"]
    options = json.loads((folder / "options.json").read_text(encoding="utf-8"))
    model = train(train_images, train_labels, epochs=options["epochs"], seed=options["seed"])
    np.save(folder / "logits.npy", model.predict(test_images, verbose=0))
    (folder / "float.tflite").write_bytes(to_tflite(model))
    (folder / "int8.tflite").write_bytes(to_tflite(model, representative))
    to_mlpackage(model, train_images.shape[1:], folder / "model.mlpackage")
    (folder / "report.json").write_text(json.dumps({"peak_memory_mb": own_peak_mb()}), encoding="utf-8")


def hide(*names: str) -> None:
    """Make `import name` fail as if the package were not installed."""
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]


def build(shape: tuple[int, ...], classes: int) -> Any:
    """Return a small depthwise CNN for images of shape (height, width, channels): `DigitsNet`, in Keras."""
    import keras
    from keras import layers

    def activated(layer: Any) -> list[Any]:
        # Keras's momentum of 0.99 needs thousands of steps to forget where it began, and PyTorch's is 0.9 in its terms.
        return [layer, layers.BatchNormalization(momentum=0.9), layers.ReLU(6.0)]

    def separable(channels: int, stride: int = 1) -> list[Any]:
        depthwise = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)
        return activated(depthwise) + activated(layers.Conv2D(channels, 1, use_bias=False))

    stem = activated(layers.Conv2D(16, 3, padding="same", use_bias=False))
    blocks = separable(32) + separable(64, stride=2) + separable(64)
    return keras.Sequential(
        [layers.Input(shape), *stem, *blocks, layers.GlobalAveragePooling2D(), layers.Dense(classes)]
    )


def train(images: np.ndarray, labels: np.ndarray, *, epochs: int, seed: int) -> Any:
    """Return a network trained on images (rows, height, width, channels) and labels (rows,) from 0 on."""
    import keras

    keras.utils.set_random_seed(seed)
    model = build(images.shape[1:], int(labels.max()) + 1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    steps = epochs * -(-len(images) // 64)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, steps)), loss)
    model.fit(images, labels, batch_size=64, epochs=epochs, verbose=0)
    return model


def to_tflite(model: Any, representative: np.ndarray | None = None) -> bytes:
    """Convert with TensorFlow's own converter; with representative (rows, …) to int8, inputs and outputs included."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if representative is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([row[np.newaxis]] for row in representative)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def to_mlpackage(model: Any, shape: tuple[int, ...], path: Path) -> None:
    """Convert a Keras 3 model to Core ML, through a concrete function: coremltools does not know Keras 3 itself."""
    import tensorflow as tf

    from pocketlab.runtimes.mil._coremltools import import_coremltools, quiet

    hide(_HIDDEN_FROM_COREMLTOOLS)
    coremltools = import_coremltools()
    specification = tf.TensorSpec((1, *shape), tf.float32, name="image")
    function = tf.function(model).get_concrete_function(specification)
    with quiet():
        target = coremltools.target.iOS16
        coremltools.convert([function], source="tensorflow", minimum_deployment_target=target).save(str(path))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
