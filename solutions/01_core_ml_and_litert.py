# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # Lab 01: Core ML and LiteRT
#
# Phones do not run PyTorch. An iPhone runs Core ML, an Android phone runs LiteRT (which was called TensorFlow Lite
# until 2024), and both run files that you make by converting. In this lab you convert one small network for both,
# store its weights in a quarter of the bits without losing accuracy, see by an estimate how a phone splits a network
# between its processors, and write the C++ that registers only the operators (an operator is one step of a network,
# such as a convolution) that the network needs.
#
# **You will leave with** one model as `.mlpackage`, as float and int8 `.tflite` and as float and int8 `.pte`
# (ExecuTorch's format), and a table with the size, accuracy and latency of each one, and its parity: how close its
# numbers are to those of the original.
#
# **Time**: 60 to 75 minutes. **Before**: Python, NumPy, and having seen a convolutional network once.
# **Skills covered**: area 1 of 25, Core ML and TensorFlow Lite: conversion from PyTorch and from TensorFlow, input
# types and metadata, compute units, delegates, int8 quantization, selective registration.

# %%
from pocketlab.course import Lab

lab = Lab("01")

# %% [markdown]
# The line above says what this machine has. Where something is missing, the lab says so at the place and runs the
# closest real thing.
#
# ## 1. Two models to convert
#
# The task is reading handwritten digits. Change `"digits"` to `"mnist"` below to run the same lab on MNIST, which is
# downloaded once (11 MB) if no copy is there.

# %% tags=["nbval-check-output"]
from pocketlab.data.digits import load_digits

digits = load_digits("digits")
print(digits.description)
print("train:", digits.train_images.shape, "test:", digits.test_images.shape, digits.train_images.dtype)
print(f"mean {digits.mean:.4f} and std {digits.std:.4f} of the training pixels divided by 255")

# %% [markdown]
# The images are bytes: 0 for paper, 255 for ink. The network is trained on normalized values, `(pixel/255 −
# mean)/std`. Remember these two ways of writing one image: confusing them is the most common mistake of this lab.
#
# Your team has a second network, in Keras. TensorFlow takes 0.5 GB of memory, so a separate process trains and
# converts it. The lab uses its files further below.

# %%
import numpy as np

from pocketlab.runtimes import keras_child


def build_keras(folder, train_images, train_labels, test_images):
    channels_last = [images.transpose(0, 2, 3, 1) for images in (train_images, test_images)]
    made = keras_child.train_and_convert(channels_last[0], train_labels, channels_last[1], folder, epochs=6)
    np.save(folder / "logits.npy", made.logits)


test_inputs = digits.normalize(digits.test_images)
keras_files = lab.artifact_in_background(
    "keras",
    build_keras,
    train_images=digits.normalize(digits.train_images),
    train_labels=digits.train_labels,
    test_images=test_inputs,
)
print("started")

# %% [markdown]
# The lab goes on while that runs, and takes the files when they are there. `lab.artifact_in_background` keeps what it
# builds: when you come back, it is there at once.
#
# Now the PyTorch network, a MobileNet in miniature: a first convolution, then three blocks of a *depthwise*
# convolution (a 3×3 filter for each channel by itself) and a 1×1 convolution that mixes the channels.

# %%
import time

import torch

from pocketlab.data.models import accuracy, train_digits

net = train_digits(digits)
with torch.no_grad():
    reference_logits = net(torch.from_numpy(test_inputs)).numpy()
parameters = sum(p.numel() for p in net.parameters())
print(f"PyTorch: {parameters:,} parameters, {parameters * 4 / 1000:.1f} kB as float32")
print(f"accuracy on {len(test_inputs)} unseen digits: {accuracy(reference_logits, digits.test_labels):.1%}")
torch.set_num_threads(1)
start = time.perf_counter()
with torch.no_grad():
    for _ in range(200):
        net(torch.from_numpy(test_inputs[:1]))
print(f"one image: {(time.perf_counter() - start) / 200 * 1000:.2f} ms on average, one thread")

# %% [markdown]
# This is the baseline: size, accuracy, and the time of one call. *Logits* are a network's ten scores, before a
# softmax turns them into probabilities. The files for LiteRT and ONNX Runtime below are compared with these logits,
# on digits that the network has not seen.
#
# ## 2. Core ML
#
# ### What an app feeds
#
# An app hands Core ML a picture, not a normalized array. Core ML can do the normalizing itself, as part of the input:
# for each channel it computes `scale · pixel + bias`, with pixels from 0 to 255.
#
# ### Exercise 01.1: the scale and bias of an image input   (difficulty 2/5, about 5 minutes)
# Training computed `(pixel/255 − mean)/std`. Write that as `scale · pixel + bias`. Core ML takes **one** scale for
# all channels and a bias for each. Where the stds differ, use their mean for the scale, and each channel's own std
# for its bias, as Apple's guide does.
#
# A worked number: mean 0.5 and std 0.5 turn pixel 255 into 1 and pixel 0 into −1, so the scale is 2/255 = 0.00784 and
# the bias −1.
#
# <details><summary>Hint 1</summary>Multiply out (p/255 − mean)/std, and collect what stands before p.</details>
# <details><summary>Hint 2</summary>Divide both parts by std separately. −mean/std is one of them.</details>

# %%
def image_scale_bias(mean, std):
    """Return (scale, bias): one number, and a list with a number per channel. mean, std: lists, for pixels from 0 to 1."""
    ### BEGIN SOLUTION
    #: # scale = ...
    #: # bias = ...
    #: # return scale, bias
    scale = 1 / (255 * np.mean(std))
    bias = [-m / s for m, s in zip(mean, std, strict=True)]
    return scale, bias
    ### END SOLUTION


image_scale_bias = lab.check("01.1", image_scale_bias)

# %% tags=["nbval-check-output"]
scale, bias = image_scale_bias([digits.mean], [digits.std])
for pixel in (0, 128, 255):
    print(f"pixel {pixel:3}: scale·pixel + bias = {scale * pixel + bias[0]:+.4f}, ", end="")
    print(f"normalized in training = {(pixel / 255 - digits.mean) / digits.std:+.4f}")

# %% [markdown]
# Both columns agree. An app hands over an 8×8 grayscale image as bytes and need not normalize it. (Cropping,
# shrinking and inverting the photo remain the app's work.)
#
# ### Convert
#
# The next cell waits for the separate process, so that it and the converters do not need memory at the same time.

# %%
keras_folder = keras_files.result()
keras_logits = np.load(keras_folder / "logits.npy")
print(f"Keras: accuracy {accuracy(keras_logits, digits.test_labels):.1%}")

# %%
lab.predict("01.P1")

# %%
from pocketlab.runtimes import coreml

example = torch.from_numpy(test_inputs[:1])
picture = coreml.ImageInput(scale=scale, bias=bias, color_layout="grayscale")
about = coreml.Metadata(author="Pocketlab", license="MIT", description="Reads a digit.", version="1.0")
names = [str(digit) for digit in range(10)]
with_softmax = torch.nn.Sequential(net, torch.nn.Softmax(dim=1)).eval()
package = coreml.export(
    with_softmax, example, lab.folder / "digits.mlpackage", image=picture, class_labels=names, metadata=about
)
print(f"{package.path.name}: {package.size_bytes / 1000:.1f} kB")
print(coreml.inspect(package.path).bytes_by_type)

# %%
lab.reveal("01.P1")

# %% [markdown]
# Half of the size came without asking: two bytes for each weight. The file on disk is larger than its weights,
# because it also holds the program, the labels and a manifest; for so small a network these weigh as much as the
# weights. What an app's developer sees in Xcode is in the file as well:

# %% tags=["nbval-check-output"]
from pocketlab.ui.table import table

described = coreml.describe(package.path)
table(described.rows(), ["property", "value"], caption="What digits.mlpackage says of itself")

# %% [markdown]
# The scale and bias of your exercise are in it, the ten labels too. The `softmax` before the labels is there because
# Core ML calls a classifier's outputs probabilities: a network that ends in logits needs one.
#
# ### Run it
#
# Apple's runtime exists on macOS only. On any other system `coreml.load` takes the course's *reference interpreter*: it
# reads the program in the package and computes it operator by operator, with every float16 that the program declares.
# It is there for the numbers; the time that it takes says nothing about a phone.

# %%
runner = coreml.load(package.path)
pixels = digits.test_images[:6]
probabilities = runner(pixels)
print("pixels", pixels.shape, pixels.dtype, "to probabilities", probabilities.shape)
print("labels:", [names[best] for best in probabilities.argmax(1)], " truth:", digits.test_labels[:6].tolist())
with torch.no_grad():
    in_pytorch = with_softmax(torch.from_numpy(test_inputs[:6])).numpy()
print(f"largest difference from PyTorch on normalized inputs: {np.abs(probabilities - in_pytorch).max():.1e}")

# %% [markdown]
# The package got raw bytes, and PyTorch normalized values. That the answers agree shows your scale and bias at work: a
# file that was converted and never run could have any mistake in it.
#
# ### Two ways in, and flexible inputs
#
# There are two ways to capture a PyTorch network: *tracing* records the operations of one run, and `torch.export`
# takes the whole graph. And an input may be flexible, for instance from 1 to 16 images in one call.

# %% tags=["nbval-check-output"]
captured = {way: coreml.export(net, example, lab.folder / f"{way}.mlpackage", through=way) for way in ("trace", "export")}
flexible = coreml.export(net, example, lab.folder / "flexible.mlpackage", flexible={0: (1, 16)})
operators = {way: coreml.inspect(file.path).operators for way, file in captured.items()}
print("by trace :", operators["trace"])
print("by export:", operators["export"])
print("flexible input:", coreml.describe(flexible.path).inputs[0].flexible)
flexible_runner = coreml.load(flexible.path, tell=lambda line: None)
print("16 images at once:", flexible_runner(test_inputs[:16]).shape)

# %% [markdown]
# Both ways gave the same operators. They part where a network decides something while it runs (an `if` on a value): a
# trace records the branch that it happened to take, silently, and `torch.export` refuses unless the branch is written
# with `torch.cond`. The flexible package took 16 images in one call; one more would be refused.
#
# Batch normalization has vanished: `conv` has taken in its factors. The activation ReLU6, which cuts off below 0 and
# above 6, is called `clip`.
#
# ### Which phones can run it
#
# A package names the oldest system that it runs on. The next cell converts for three of them, to see what the choice
# changes. (A *palette* stores a few values once, and for each weight the number of its value.)

# %%
rows = coreml.deployment_targets(net, example, targets=["iOS15", "iOS16", "iOS18"])
table(
    [
        (r.target, r.specification_version, r.input_dtype, r.size_bytes / 1000, ", ".join(r.weights) or "none")
        for r in rows
    ],
    ["target", "specification", "input", "size (kB)", "weight compression that works"],
    caption="Three deployment targets, each really converted",
)

# %% [markdown]
# An older target means more phones and fewer ways to compress. From iOS 16 on the input may be float16, which saves a
# conversion of the input, and weights may be int8 or a palette of 16 values (4 bits). int4 needs iOS 18.
#
# ### Compute units
#
# When an app loads the model it may limit where Core ML puts it. It cannot demand anything: within the limit, Core ML
# decides for each operator.

# %% tags=["nbval-check-output"]
table(coreml.COMPUTE_UNITS.items(), ["compute units", "what it means"], caption="The four settings")

# %% [markdown]
# Start with `all`. Take `cpu_only` to compare numbers, since the CPU computes in float32 where the model asks for it.
# Which operators can the Neural Engine take at all?

# %% tags=["nbval-check-output"]
from pocketlab.device.npu import LABEL, neural_engine_estimate

estimate = neural_engine_estimate(operators["trace"])
print(LABEL)
print("Sources:", *sorted({source for row in estimate for source in row.source.split("; ")}), sep="\n- ")
table(
    [(row.operator, row.verdict, row.why) for row in estimate],
    ["operator", "Neural Engine", "why"],
    caption="An estimate: which of this model's operators the Neural Engine takes",
)

# %% [markdown]
# This table is compiled from what is published, since Apple gives no list; on a Mac, `coreml.compute_plan` asks the
# real runtime, and you should believe that rather than this. What happens if you ask for the plan here?

# %%
from pocketlab.errors import UnavailableError

try:
    for placement in coreml.compute_plan(captured["trace"].path):
        print(placement)
except UnavailableError as error:
    print(error)

# %% [markdown]
# ### What float16 costs
#
# The Neural Engine computes in float16: 11 significant bits. The interpreter can compute the same program in float32 as
# well, and hand out any tensor on the way. So you can see where the precision goes, for one batch of images and with the
# same (float16) weights. (Which sums the Neural Engine itself rounds on the way is not published: this rounds each
# operator's result, and nothing inside.)

# %%
from pocketlab.compression.quantization import sqnr_db as library_sqnr_db
from pocketlab.runtimes import mil
from pocketlab.ui.figures import precision_along_program

wide, half = (mil.load(flexible.path, precision=p) for p in ("float32", "float16"))
on_the_way = [name for name in wide.tensors if name.endswith("cast_fp16")] + ["y"]
kept_wide, kept_half = (model.predict({"x": test_inputs[:16]}, keep=on_the_way) for model in (wide, half))
sqnr_along = {name: library_sqnr_db(kept_wide[name], kept_half[name]) for name in on_the_way}
precision_along_program(sqnr_along)

# %% [markdown]
# SQNR is the signal to quantization noise ratio in decibels, which you write yourself in the next section; 6 dB are one
# bit. Each convolution rounds once more, and the error grows, slowly. Near the end the mean over all places averages
# many roundings, and precision comes back. What arrives at the output is far more than a classifier needs.
#
# %% [markdown]
# ### From TensorFlow
#
# The separate process converted the Keras network for Core ML from a traced TensorFlow function:

# %%
keras_package = coreml.inspect(keras_folder / "keras.mlpackage")
print("keras.mlpackage:", keras_package.operators)
print("its input:", keras_package.inputs[0].shape, " PyTorch's input:", tuple(example.shape))

# %% [markdown]
# Keras puts the channels last, PyTorch first. The converter keeps each framework's order of the axes, so an app that
# swaps one model for the other has to swap the axes of its input as well.
#
# ## 3. LiteRT
#
# ### How close is close?
#
# A converted model never gives the same numbers to the last bit. "Looks equal" is no measure; the field uses the
# *signal to quantization noise ratio*: how much larger than the error the signal is, in decibels.
#
# ### Exercise 01.2: a parity metric in decibels   (difficulty 2/5, about 5 minutes)
# SQNR is 10·log10 of the power of the reference divided by the power of the error. Power is the sum of the squares.
#
# A worked number: reference (3, 4) and approximation (3, 4.5) have 25 and 0.25, a ratio of 100, which is 20 dB.
#
# <details><summary>Hint 1</summary>int8 arrays wrap around when squared: turn both into float64 first.</details>
# <details><summary>Hint 2</summary>What should equal arrays give, with no error at all? Return <code>float("inf")</code> for them.</details>

# %%
def sqnr_db(reference, approximation):
    """Return the SQNR in dB of two arrays of one shape; infinity if they are equal."""
    ### BEGIN SOLUTION
    #: # signal = ...
    #: # noise = ...
    #: # return ...
    reference, approximation = np.asarray(reference, float), np.asarray(approximation, float)
    signal = np.sum(reference**2)
    noise = np.sum((reference - approximation) ** 2)
    return 10 * np.log10(signal / noise) if noise > 0 else float("inf")
    ### END SOLUTION


sqnr_db = lab.check("01.2", sqnr_db)

# %%
from pocketlab.runtimes import litert

float_file = litert.export(net, example, lab.folder / "digits_float.tflite")
float_runner = litert.load(float_file.path)
float_logits = float_runner(test_inputs)
print(f"{float_file.path.name}: {float_file.size_bytes / 1000:.1f} kB")
print(f"SQNR against PyTorch: {sqnr_db(reference_logits, float_logits):.0f} dB")
print(f"largest difference: {np.abs(reference_logits - float_logits).max():.1e}")

# %% [markdown]
# More than 100 dB: the error is a hundred-thousandth of the signal or less, which is float32's own rounding. A bit of
# precision is worth 6 dB, so this is what about twenty bits would give. Keep that figure in mind when you see int8's.
#
# The Keras network's file comes from TensorFlow's own converter, and runs in the same runtime:

# %%
keras_runner = litert.load(keras_folder / "keras.tflite")
keras_inputs = test_inputs.transpose(0, 2, 3, 1)
print(f"SQNR against Keras: {sqnr_db(keras_logits, keras_runner(keras_inputs)):.0f} dB")
print("PyTorch's file:", litert.inspect(float_file.path).operators)
print("Keras's file:  ", litert.inspect(keras_folder / "keras.tflite").operators)

# %% [markdown]
# Look at what the converter added for PyTorch: LiteRT computes with channels last, so there is a `RESHAPE` and a
# `TRANSPOSE` where the order changes. The first convolution has one input channel, so it is stored as a depthwise
# one; and `PAD` is there because PyTorch pads both sides alike where TensorFlow does not.
#
# ## 4. Eight bits
#
# Four bytes for a weight are more than it needs. The same holds for an *activation*, which is what one layer hands to
# the next. Quantizing stores a real number x as a small integer q, with `x ≈ scale · (q − zero_point)`. Two numbers,
# scale and zero point, serve a whole tensor, and the question is how to choose them.
#
# ### Exercise 01.3: scale and zero point from a range   (difficulty 3/5, about 8 minutes)
# An activation was seen between lo and hi. Find the scale and the zero point so that lo lands on −128 and hi on 127.
# One condition comes first: 0 must be exact, because padding and ReLU produce it all the time. So widen the range to
# hold 0, and round the zero point to an integer. If lo is above hi, raise a ValueError. If the range is only 0,
# return scale 1 and zero point −128.
#
# A worked number: from lo = −1 to hi = 3 there are 4/255 = 0.0157 per step, and 0 lies 1/0.0157 = 63.75 steps above
# lo: zero point −64.
#
# <details><summary>Hint 1</summary>lo/scale + zero_point should be −128. Solve for the zero point and round.</details>
# <details><summary>Hint 2</summary>Widen first: <code>lo = min(lo, 0)</code> and <code>hi = max(hi, 0)</code>. Then scale = (hi − lo)/255.</details>

# %%
def affine_params(lo, hi):
    """Return (scale, zero_point) for int8. Raises ValueError if lo is above hi."""
    ### BEGIN SOLUTION
    #: # 1. refuse lo > hi   2. widen the range to hold 0   3. scale   4. zero point
    if lo > hi:
        raise ValueError(f"lo must not be above hi; got {lo} and {hi}")
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    scale = (hi - lo) / 255 if hi > lo else 1.0
    zero_point = round(-128 - lo / scale)
    return scale, zero_point
    ### END SOLUTION


affine_params = lab.check("01.3", affine_params)

# %% tags=["nbval-check-output"]
for lo, hi in ((-1.0, 3.0), (0.0, 6.0), (1.0, 6.0)):
    scale, zero_point = affine_params(lo, hi)
    back = [float(scale * (np.clip(round(x / scale) + zero_point, -128, 127) - zero_point)) for x in (lo, 0.0, hi)]
    print(f"{lo:+.0f} to {hi:+.0f}: scale {scale:.5f}, zero point {zero_point:4}; lo, 0 and hi come back as", np.round(back, 3))

# %% [markdown]
# 0 comes back as 0 in every row, and 6 as 6 even where the range began at 1. Without widening, that last row would
# lose its upper end.
#
# Weights are treated differently. Their values lie on both sides of 0, so the range is made symmetric with zero point
# 0, which makes the arithmetic cheaper; and each output channel can have a scale of its own.

# %%
from pocketlab.ui.figures import channel_ranges

# What the converters store: batch normalization folded into the weights of the depthwise convolution before it.
block = net.features[3]
factor = (block[1].weight / torch.sqrt(block[1].running_var + block[1].eps)).detach()
depthwise = (block[0].weight.detach() * factor.reshape(-1, 1, 1, 1)).numpy()
channel_ranges(depthwise, "the first depthwise convolution")

# %% [markdown]
# The bars differ in length: some channels use a part only of the range that the widest one forces on all. With one
# scale for all, a channel half as wide has half of the integers. At 8 bits that is bearable; at 4 bits it leaves 7 of
# 15.
#
# ### Exercise 01.4: a scale for each output channel   (difficulty 2/5, about 5 minutes)
# For weights of shape (output channels, …), return one scale per output channel, so that the largest *magnitude* of
# the channel lands on 127. A channel that is all zero gets scale 1.
#
# A worked number: a channel (0.5, −1.27, 0.1) has the scale 1.27/127 = 0.01.
#
# <details><summary>Hint 1</summary><code>weights.reshape(len(weights), -1)</code> gives one row for each output channel.</details>
# <details><summary>Hint 2</summary><code>np.abs</code> first, then <code>.max(axis=1)</code>; <code>np.where</code> for the channels of zeros.</details>

# %%
def weight_scales(weights):
    """Return an array (output channels,) of symmetric int8 scales for weights (output channels, …)."""
    ### BEGIN SOLUTION
    #: # largest = ...   # one number for each output channel
    #: # return ...
    largest = np.abs(weights.reshape(len(weights), -1)).max(axis=1)
    return np.where(largest > 0, largest / 127, 1.0)
    ### END SOLUTION


weight_scales = lab.check("01.4", weight_scales)

# %%
scales = weight_scales(depthwise).reshape(-1, 1, 1, 1)
one_scale = np.abs(depthwise).max() / 127
per_channel = scales * np.round(depthwise / scales)
per_tensor = one_scale * np.round(depthwise / one_scale)
print(f"one scale for the tensor: {sqnr_db(depthwise, per_tensor):.1f} dB")
print(f"a scale per channel:      {sqnr_db(depthwise, per_channel):.1f} dB")

# %% [markdown]
# The second figure is the better one, and LiteRT's 8-bit specification asks for a scale per channel in convolutions.
# Try it at fewer bits:

# %%
from pocketlab.ui.quantization import QuantizationExplorer

pointwise = net.features[4][3].weight.detach().numpy()
explorer = QuantizationExplorer({"depthwise": depthwise, "pointwise": pointwise})
explorer

# %% [markdown]
# Move **Bits** down and watch the grid grow coarse: each bit taken away costs about 6 dB, and more below 4 bits. Then
# switch **One scale** between per tensor and per channel, at 4 bits. Last, set Bits to 3 and One scale to per tensor,
# and lower **Values kept** step by step: cutting off the few largest weights makes the grid finer for all the others,
# and for the pointwise layer that pays, up to a point.
#
# ### A representative set
#
# Weights lie in the file, but the range of an activation depends on the input. The converter has to watch the network
# at work on examples, the *representative set*.

# %%
lab.predict("01.P2")

# %% [markdown]
# ### Exercise 01.5: a representative set   (difficulty 2/5, about 6 minutes)
# Take the first `per_class` images of each class, class after class in ascending order, and prepare them exactly as
# the app does: as float32, divided by 255, mean taken off, divided by std. A class with too few images is an error:
# raise a ValueError.
#
# <details><summary>Hint 1</summary><code>np.flatnonzero(labels == label)[:per_class]</code> are the rows for one class.</details>
# <details><summary>Hint 2</summary><code>np.unique(labels)</code> gives the classes in ascending order; <code>np.concatenate</code> joins the rows.</details>

# %%
def representative_batch(images, labels, per_class, mean, std):
    """Return (classes · per_class, channels, height, width) float32, normalized; images are uint8 pixels."""
    ### BEGIN SOLUTION
    #: # rows = ...   # which images, class after class
    #: # pixels = images[rows].astype(np.float32)
    #: # return ...
    rows = [np.flatnonzero(labels == label)[:per_class] for label in np.unique(labels)]
    if min(len(chosen) for chosen in rows) < per_class:
        raise ValueError(f"some class has fewer than {per_class} images")
    pixels = images[np.concatenate(rows)].astype(np.float32)
    return ((pixels / 255 - mean) / std).astype(np.float32)
    ### END SOLUTION


representative_batch = lab.check("01.5", representative_batch)

# %% tags=["nbval-check-output"]
representative = representative_batch(digits.train_images, digits.train_labels, 10, digits.mean, digits.std)
one_class = digits.normalize(digits.train_images[digits.train_labels == 0][:100])
raw_pixels = digits.train_images[:100].astype(np.float32)


def static(representative, **options):
    return {"quantization": "static_int8", "representative": representative, **options}


recipes = {
    "float16 weights": ("digits_float16", {"quantization": "float16"}),
    "int8 weights (dynamic)": ("digits_dynamic", {"quantization": "dynamic_int8"}),
    "int8, one scale per tensor": ("digits_int8_per_tensor", static(representative, per_channel=False)),
    "int8, per channel": ("digits_int8", static(representative)),
    "int8, one class as set": ("digits_int8_one_class", static(one_class)),
    "int8, raw pixels as set": ("digits_int8_raw", static(raw_pixels)),
}
variants = {"float32": float_file}
for name, (stem, recipe) in recipes.items():
    variants[name] = litert.quantize_file(float_file.path, lab.folder / f"{stem}.tflite", **recipe)
print(*(file.path.name for file in variants.values()), sep="\n")

# %%
def row_of(name, file):
    logits = litert.load(file.path)(test_inputs)
    changed = int((logits.argmax(1) != reference_logits.argmax(1)).sum())
    return name, file.size_bytes / 1000, sqnr_db(reference_logits, logits), accuracy(logits, digits.test_labels) * 100, changed


table(
    [row_of(name, file) for name, file in variants.items()],
    ["variant", "size (kB)", "SQNR (dB)", "accuracy (%)", "answers changed"],
    caption=f"Seven ways to store one network, on {len(test_inputs)} unseen digits",
)

# %%
lab.reveal("01.P2")

# %% [markdown]
# Read the table from the top. float16 halves the weights and costs nothing you could notice. *Dynamic* int8 stores
# the weights in a byte and leaves the activations to be quantized while the model runs; the other rows fix all ranges
# beforehand, which is what NPUs (neural processing units, such as Apple's Neural Engine) ask for. With a proper
# representative set int8 keeps the accuracy although the SQNR is far below that of float32: divide its decibels by 6
# to see how many bits arrive at the output. A classifier needs no more. Per channel is better by a little, and the
# file is larger by its tables: LiteRT stores a scale and a zero point for each channel, for the weights and again for
# the bias. In a network of a million weights these tables vanish.
#
# A representative set of one class has as many images as the good one and loses several decibels: what the other nine
# digits bring was never seen. Here the accuracy survives that; with a larger error it would not. And raw pixels
# destroy the model without any error message. The file is as small as the good one, which is why only a table with
# the accuracy in it finds this mistake.
#
# The Keras network's int8 file was made by TensorFlow's own converter, with training images as the representative
# set:

# %%
for name in ("keras.tflite", "keras_int8.tflite"):
    logits = litert.load(keras_folder / name)(keras_inputs)
    kilobytes = (keras_folder / name).stat().st_size / 1000
    right = accuracy(logits, digits.test_labels)
    print(f"{name}: {kilobytes:.1f} kB, accuracy {right:.1%}, SQNR {sqnr_db(keras_logits, logits):.0f} dB")

# %% [markdown]
# No file is four times smaller than float32, since this network is so small that tables and names weigh as much as
# weights.
#
# ## 5. Delegates
#
# ### What a latency is
#
# LiteRT hands operators to *delegates*: XNNPACK for the CPU, a GPU delegate, others for NPUs. Before comparing,
# decide what to measure.

# %%
one = test_inputs[:1]
runner = litert.load(variants["float32"].path, xnnpack=False)
durations = []
for _ in range(400):
    start = time.perf_counter()
    runner(one)
    durations.append(time.perf_counter() - start)
durations = np.array(durations)
print(f"first call {durations[0] * 1000:.3f} ms, fastest {durations.min() * 1000:.3f} ms, slowest {durations.max() * 1000:.3f} ms")

# %% [markdown]
# Which of these is *the* latency? None. MLPerf, the field's benchmark, quotes for single calls, one after the other,
# the 90th percentile: nine calls in ten are at least as fast. The first calls pay for caches and allocations, so they
# are left out.
#
# ### Exercise 01.6: the latency that one may quote   (difficulty 2/5, about 5 minutes)
# Return the median and the 90th percentile, in milliseconds, without the first `warmup` calls. Interpolate linearly,
# as `np.percentile` does by itself. If no call is left, raise a ValueError. A worked number: calls of 1, 2, 3, 4 and
# 5 ms have the median 3 and the 90th percentile 4.6.
#
# <details><summary>Hint 1</summary>Cut the warm-up off first, then turn seconds into milliseconds.</details>
# <details><summary>Hint 2</summary><code>np.percentile(times, [50, 90])</code> gives both figures.</details>

# %%
def latency_percentiles(seconds, warmup=0):
    """Return (p50_ms, p90_ms) of the calls after the warm-up. seconds: an array or a list, in the order of the calls."""
    ### BEGIN SOLUTION
    #: # times = ...   # milliseconds, warm-up taken off
    #: # return ..., ...
    times = np.asarray(seconds)[warmup:] * 1000
    if len(times) == 0:
        raise ValueError("no call is left after the warm-up")
    p50, p90 = np.percentile(times, [50, 90])
    return p50, p90
    ### END SOLUTION


latency_percentiles = lab.check("01.6", latency_percentiles)

# %%
from pocketlab.ui.figures import call_durations

p50, p90 = latency_percentiles(durations, warmup=20)
print(f"median {p50:.4f} ms, 90th percentile {p90:.4f} ms")
call_durations(durations, 20, p50, p90)

# %% [markdown]
# Each point is a call. The points far above the lines are probably other work of this machine that came in between.
# They move a mean; a percentile they hardly move.
#
# ### XNNPACK on and off

# %%
lab.predict("01.P3")

# %% [markdown]
# The digits network is done in microseconds, where calling it costs as much as computing. A phone's network is
# larger, so this comparison takes the same architecture at a phone's size: four times the channels, on color images
# of 64×64. Its weights are random: latency does not depend on them, and no accuracy is claimed for it.

# %%
from pocketlab.data.models import DigitsNet

torch.manual_seed(0)
large = DigitsNet(width=4, channels=3)
large_input = torch.rand(1, 3, 64, 64)
large_float = litert.export(large, large_input, lab.folder / "large_float.tflite")
large_int8 = litert.quantize_file(
    large_float.path, lab.folder / "large_int8.tflite", "static_int8", representative=large_input.numpy()
)
with torch.no_grad():
    large_logits = large.eval()(large_input).numpy()
rows = []
for name, file in (("float32", large_float), ("int8", large_int8)):
    for on in (True, False):
        runner = litert.load(file.path, xnnpack=on)
        measured = litert.measure(runner, large_input.numpy(), seconds=0.3)
        taken = f"{runner.delegated} of {len(runner.operators)}"
        parity = sqnr_db(large_logits, runner(large_input.numpy()))
        rows.append((name, on, taken, measured.p50_ms, measured.p90_ms, parity))
table(
    rows,
    ["weights", "XNNPACK", "operators taken", "p50 (ms)", "p90 (ms)", "SQNR (dB)"],
    caption="The large network with random weights, one thread on this machine's CPU",
)

# %%
lab.reveal("01.P3")

# %% [markdown]
# XNNPACK took all operators and made both models several times faster; the results agree as closely as before.
# Compare the rows with each other, not with a phone: this is the CPU of this machine. LiteRT's Python package and its
# newer CompiledModel API use XNNPACK by default; with the older Interpreter API on a phone, check that it is on. int8
# is faster than float32 where the processor has instructions for 8-bit products.
#
# ### A second runtime: ExecuTorch
#
# PyTorch has a runtime for phones of its own, *ExecuTorch*, whose files end in `.pte`. XNNPACK is there too, with one
# difference: LiteRT decides which operators a delegate takes when the app loads the model; ExecuTorch decides when you
# export, and the file holds the decision. Operators that no delegate takes run in *portable* kernels, written for
# correctness, not speed.

# %%
from pocketlab.runtimes import executorch

pte_float = executorch.export(net, example, lab.folder / "digits_float.pte")
pte_int8 = executorch.export(
    net, example, lab.folder / "digits_int8.pte", quantization="static_int8", representative=representative
)
for file in (pte_float, pte_int8):
    held = executorch.inspect(file.path)
    taken = [f"{sum(part.operators.values())} operators" for part in held.partitions]
    print(f"{file.path.name}: {file.size_bytes / 1000:.1f} kB; delegated: {', '.join(taken)}; portable: {held.portable}")

# %% [markdown]
# In both files the mean over the picture's places was left to a portable kernel, which cuts the network into two
# partitions. The int8 file counts more operators, since conversions between float32 and int8, and the cutting off of
# ReLU6, stand by themselves there. Such a cut costs little on a CPU, where both sides share their memory. On a GPU or
# NPU it can cost more than the delegate saves, as you will see now.
#
# ### How many partitions
#
# A GPU or NPU does not take every operator. LiteRT cuts the model into partitions, and at each border data are
# copied.
#
# ### Exercise 01.7: how many partitions a delegate gets   (difficulty 2/5, about 5 minutes)
# The operators of a chain run one after the other. `supported[i]` says whether the delegate takes operator i.
# Neighbors that it takes form one partition. How many partitions does it get?
#
# A worked number: yes, yes, no, yes has two partitions.
#
# <details><summary>Hint 1</summary>A partition begins at a supported operator that has no supported one right before it.</details>

# %%
def count_partitions(supported):
    """Return the number of partitions of a chain; supported is a list of bool, possibly empty."""
    ### BEGIN SOLUTION
    #: # count = 0
    #: # for ... in ...:
    #: #     ...
    #: # return count
    count = 0
    before = False
    for now in supported:
        if now and not before:
            count += 1
        before = now
    return count
    ### END SOLUTION


count_partitions = lab.check("01.7", count_partitions)

# %%
lab.predict("01.P4")

# %%
from pocketlab.ui.delegates import PartitionExplorer

chain = list(litert.load(large_float.path, xnnpack=False).operators)
print("partitions if the delegate takes all but CONV_2D:", count_partitions([op != "CONV_2D" for op in chain]))
partitions = PartitionExplorer(chain, delegated=set(chain) - {"CONV_2D"})
partitions.copy_ms.value = 1.0
partitions

# %%
lab.reveal("01.P4")

# %% [markdown]
# The explorer estimates; it assumes that every operator takes 1 ms on the CPU and 0.2 ms on the delegate. First lower
# the cost of a copy, and find the point from which on the delegate wins. Set it back to 1 ms, and take `CONV_2D` into
# the delegate (hold Ctrl or Command and click): the partitions join, and most copies are gone. Real delegates leave
# small partitions to the CPU for that reason; the third control does so.
#
# ### GPU, NPU, and what became of NNAPI
#
# On Android, LiteRT reaches the GPU by its GPU accelerator (OpenCL or OpenGL ES), and NPUs by the makers' plugins
# (Qualcomm and MediaTek; Google Tensor is experimental). The older way to NPUs was NNAPI, the system's Neural
# Networks API. Android 15 deprecated it, and Google's migration guide sends its users to LiteRT in Google Play
# services and to the GPU delegate. This machine has no such accelerator, so only XNNPACK was measured here.
#
# ## 6. Selective registration
#
# LiteRT has a kernel for every operator that any model may use, and yours uses a handful. If an app registers just
# these, the linker leaves out the others. On a microcontroller this is not a saving but the only way: LiteRT Micro no
# longer has a resolver with all of them.

# %% tags=["nbval-check-output"]
from pocketlab.runtimes import registration

uses = registration.used_operators(variants["int8, per channel"].path)
for use in uses:
    print(f"{use.builtin:20} version {use.version}, {use.count} times")

# %% [markdown]
# Operators have versions: a kernel of version 3 knows an option that version 2 did not. A resolver is told the lowest
# and the highest version that the model holds.
#
# ### Exercise 01.8: the operators to register   (difficulty 2/5, about 5 minutes)
# From the (name, version) of each use, make a dict `{name: (lowest version, highest version)}`.
#
# A worked number: uses ("CONV_2D", 3), ("ADD", 1), ("CONV_2D", 1) give `{"CONV_2D": (1, 3), "ADD": (1, 1)}`.
#
# <details><summary>Hint 1</summary>Keep a pair for each name, and widen it with each use.</details>
# <details><summary>Hint 2</summary><code>ranges.get(name, (version, version))</code> is the pair so far.</details>

# %%
def version_ranges(uses):
    """Return {name: (lowest, highest)} for a list of (name, version), possibly empty."""
    ### BEGIN SOLUTION
    #: # ranges = {}
    #: # for name, version in uses:
    #: #     ...
    #: # return ranges
    ranges = {}
    for name, version in uses:
        lowest, highest = ranges.get(name, (version, version))
        ranges[name] = (min(lowest, version), max(highest, version))
    return ranges
    ### END SOLUTION


version_ranges = lab.check("01.8", version_ranges)

# %% tags=["nbval-check-output"]
every_use = [
    (use.builtin, use.version)
    for name in ("float32", "int8 weights (dynamic)", "int8, per channel")
    for use in registration.used_operators(variants[name].path)
]
print(version_ranges(every_use))

# %% [markdown]
# These ranges serve an app that ships all three files. From one file, the library writes the C++ that an Android app
# compiles, and the header for a microcontroller:

# %% tags=["nbval-check-output"]
print(registration.generate_litert_resolver(variants["int8, per channel"].path))

# %% tags=["nbval-check-output"]
print(registration.generate_micro_resolver(variants["int8, per channel"].path))

# %% [markdown]
# What does it save? `BuiltinOpResolver` names every kernel, so the linker has to keep them all; this code names
# seven, and it drops the rest. How many bytes that is depends on the app: build it with each, and compare the size of
# the library `.so` in the package. The lab quotes no figure, because there is no Android build here. The course's
# tests compile both pieces of code against stubs of the headers.
#
# ## 7. On the device
#
# Now everything side by side: each file in its own runtime, on the same unseen digits, with one thread.

# %%
import sys

from pocketlab.runtimes import onnx
from pocketlab.runtimes.memory import peak_of_new_process

onnx_file = onnx.export(net, example, lab.folder / "digits.onnx")
torch.save(net.state_dict(), lab.folder / "digits.pt")
small, big = variants["int8, per channel"], variants["float32"]
shape = ",".join(map(str, one.shape))
run = "import numpy as np; from pocketlab.runtimes import {0}; {0}.load({1!r})(np.zeros(({2}), np.float32))"
torch_run = f"import torch; from pocketlab.data.models import DigitsNet; DigitsNet().eval()(torch.zeros({shape}))"
memory = {
    "PyTorch": peak_of_new_process(torch_run),
    "ONNX Runtime": peak_of_new_process(run.format("onnx", str(onnx_file.path), shape)),
    "LiteRT float32": peak_of_new_process(run.format("litert", str(big.path), shape)),
    "LiteRT int8": peak_of_new_process(run.format("litert", str(small.path), shape)),
}
for name, megabytes in memory.items():
    print(f"{name}: {megabytes:.0f} MB at most, in a process that does nothing else")

# %% [markdown]
# Now the contestants, each loaded in its own runtime.

# %%
class InPyTorch:
    threads = 1

    def __call__(self, x):
        with torch.no_grad():
            return net(torch.from_numpy(x)).numpy()


core_ml_name = "Core ML" if sys.platform == "darwin" else "Core ML, interpreted"
contestants = {
    "PyTorch": ((lab.folder / "digits.pt").stat().st_size, InPyTorch()),
    "ONNX Runtime": (onnx_file.size_bytes, onnx.load(onnx_file.path)),
    "LiteRT float32": (big.size_bytes, litert.load(big.path)),
    "LiteRT float32, no XNNPACK": (big.size_bytes, litert.load(big.path, xnnpack=False)),
    "LiteRT int8": (small.size_bytes, litert.load(small.path)),
    "LiteRT int8, no XNNPACK": (small.size_bytes, litert.load(small.path, xnnpack=False)),
    "ExecuTorch float32": (pte_float.size_bytes, executorch.load(pte_float.path)),
    "ExecuTorch int8": (pte_int8.size_bytes, executorch.load(pte_int8.path)),
    core_ml_name: (captured["trace"].size_bytes, coreml.load(captured["trace"].path)),
}

# %%
results, answers = [], {}
for name, (size, runner) in contestants.items():
    logits = answers[name] = np.asarray(runner(test_inputs))
    measured = litert.measure(runner, one, seconds=0.2, threads=runner.threads)
    right = accuracy(logits, digits.test_labels) * 100
    largest = float(np.abs(logits - reference_logits).max())
    times = (measured.p50_ms, measured.p90_ms, memory.get(name))
    placed = None
    if name.startswith("LiteRT"):
        placed = f"{runner.delegated} of {len(runner.operators)}"
    if name.startswith("ExecuTorch"):
        held = executorch.inspect(runner.path)
        delegated = sum(held.delegated.values())
        placed = f"{delegated} of {delegated + sum(held.portable.values())}"
    results.append((name, size / 1000, right, *times, largest, sqnr_db(reference_logits, logits), placed))
table(
    results,
    [
        *("runtime", "size (kB)", "accuracy (%)", "p50 (ms)", "p90 (ms)"),
        *("memory (MB)", "largest difference", "SQNR (dB)", "taken by XNNPACK"),
    ],
    caption="One network, side by side, on this machine's CPU with one thread",
)

# %% [markdown]
# A dash means: not measured. The memory is that of a new process that loads the runtime and runs once; a phone's app
# pays for its runtime in the same way. ExecuTorch runs in a process of its own here, because its parser trusts a file's
# bytes, and a damaged file would take the notebook with it; its times are measured inside that process. A row "Core ML,
# interpreted" has Core ML's numbers, computed with every float16 of the program, and the interpreter's time: only a Mac
# or a phone can tell Apple's.
#
# At this size int8 looks slower than float32. The cause is not LiteRT: the file's input and output are int8, and this
# Python runner quantizes them in NumPy, which takes longer than so small a network itself. On the large network above
# int8 was faster. A figure from one model says little about another.
#
# The largest difference is over all test digits. Which digits are they, and does it ever change an answer?

# %%
from pocketlab.ui.parity import ParityExplorer

ParityExplorer(reference_logits, {name: logits for name, logits in answers.items() if name != "PyTorch"})

# %% [markdown]
# Move the number through the test set. On the right each point is the largest difference of one runtime on this digit,
# and the gray bar behind it spans all digits. The three groups are three precisions: float32's rounding, float16's, and
# int8's. Find a digit on which two scores on the left are nearly equal: only there can int8 change the answer.
#
# Finally, look into the file that you would ship. Netron draws the graph; click on an operator to see its weights and
# their scales.

# %%
from pocketlab.ui import netron

netron.show(small.path)

# %% tags=["nbval-check-output"]
inspected = litert.inspect(small.path)
table(
    inspected.operators.items(),
    ["operator", "count"],
    caption=f"{small.path.name}: {inspected.parameters:,} constants, bytes by type {inspected.bytes_by_type}",
)

# %% [markdown]
# Find the first `Conv2D` in the graph. Its weights are int8 with a scale per channel: the exercise that you did. Its
# bias is int32, as a sum of products of two int8 numbers has to be. There are fewer constants than the parameters of
# section 1, since batch normalization is folded in.
#
# ## 8. Quiz

# %%
lab.quiz()

# %% [markdown]
# ## Take away
# - You can now convert a network for both systems, with the preprocessing inside the model where the runtime allows
#   it.
# - You can now quantize to int8, and you know which mistake the accuracy alone reveals.
# - You can now say how a delegate splits a model, what to measure about it, and what to register for it.
#
# **What production does differently**: it measures on the phones themselves, in Xcode's and Android Studio's
# profilers and in device farms, hot and with other apps running; and it keeps the table of section 7 for every
# release, so that a slower or worse model is noticed before its users do.
#
# **Your artifacts** are listed by the last cell. They lie in your Pocketlab folder, `~/.pocketlab/artifacts/01`, and
# "Save my work" in the first notebook takes them along.
#
# **Further reading**: Jacob et al., *Quantization and Training of Neural Networks for Efficient
# Integer-Arithmetic-Only Inference*, 2018. Howard et al., *MobileNets*, 2017. Apple, *Core ML Tools guide*, 2025.
# Google, *LiteRT 8-bit quantization specification*, 2024. Reddi et al., *MLPerf Inference Benchmark*, 2020.
#
# **Stretch exercise**: run this lab on MNIST. Order the seven variants of section 4 by SQNR. Which one changes its
# place, and why?

# %%
print(*sorted(path.name for path in lab.folder.iterdir() if not path.name.startswith(".")), sep="\n")
