# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # Lab 13: Compression in depth
#
# A trained network is larger than it needs to be. Its numbers have more digits than matter, many of its weights do next to
# nothing, and a smaller network could have learned the same from it. In this lab you take one network for handwritten digits
# down to a fortieth of its size and watch, after every step, what it costs: bytes, accuracy and time in LiteRT.
#
# **You will leave with** a network in a coded file of a fortieth of the bytes, decoded and run in LiteRT, and with a map of
# forty measured variants from which you pick one for each of three phones.
#
# **Time**: 60 to 75 minutes. **Before**: Python, NumPy, a little PyTorch, and lab 01 (scale and zero point; what p90 means).
# **Skills covered**: area 13 of 25, model optimization: quantization, palettization, pruning and distillation.

# %%
from pocketlab.course import Lab

lab = Lab("13")

# %% [markdown]
# ## 1. The baseline
#
# The task is reading handwritten digits. Change `"digits"` to `"mnist"` to run the same lab on MNIST, which takes some
# minutes longer and is downloaded once (11 MB) if no copy is there.

# %% tags=["nbval-check-output"]
import numpy as np
import torch

from pocketlab.data.digits import load_digits

digits = load_digits("digits")
images, unseen = (torch.from_numpy(digits.normalize(x)) for x in (digits.train_images, digits.test_images))
labels, truth = torch.from_numpy(digits.train_labels), digits.test_labels
print(f"{digits.description}: {len(images)} to train with, {len(unseen)} to test with")

# %% [markdown]
# The network is the MobileNet in miniature of lab 01 with four times as many channels. After training, batch normalization
# is folded into the convolutions before it, as every converter does: from here on a layer is a weight and a bias.

# %%
from torch.fx.experimental.optimization import fuse

from pocketlab.data.models import DigitsNet, accuracy
from pocketlab.data.training import fit


def right(model):
    """The accuracy on the unseen digits, in percent."""
    with torch.no_grad():
        return 100 * accuracy(model(unseen).numpy(), truth)


torch.manual_seed(0)
trained = fit(DigitsNet(width=4), images, labels, epochs=10, seed=0)
net = fuse(trained)
float_bytes = 4 * sum(p.numel() for p in net.parameters())
print(f"{float_bytes // 4:,} parameters, {float_bytes / 1000:.1f} kB in float32, accuracy {right(net):.1f} %")

# %% [markdown]
# Every variant of this lab is measured in the same way, in LiteRT. *Zipped* is what a user downloads, because an app's
# package is a zip. The time is the 90th percentile of what LiteRT itself computes for one digit on one thread of this
# machine; handing arrays over from Python is not in it.

# %%
import zlib

from pocketlab.runtimes import litert
from pocketlab.ui.table import table

COLUMNS = ["variant", "file (kB)", "zipped (kB)", "accuracy (%)", "p90 (µs)"]


def measured(name, path):
    """A row for the table: the file's size, its size in a zip, accuracy, and p90."""
    data, runner = path.read_bytes(), litert.load(path)
    percent = 100 * accuracy(runner(unseen.numpy()), truth)
    p90 = litert.measure(runner.kernels(unseen[:1].numpy()), seconds=0.08).p90_ms * 1000
    return name, len(data) / 1000, len(zlib.compress(data, 9)) / 1000, percent, p90


net_file = litert.export(net, images[:1], lab.folder / "float32.tflite").path
baseline = measured("float32", net_file)
table([baseline], COLUMNS, caption="Where we start")

# %% [markdown]
# The float file hardly shrinks in the zip: the last digits of trained weights look like noise, and noise does not compress.
# Every one of the four families of methods below is a way to have less of that noise.
#
# ## 2. Quantize
#
# ### What rounding does to a weight

# %% [markdown]
# ### Exercise 13.1: quantize a tensor   (difficulty 2/5, about 4 minutes)
# Store real numbers as int8: divide x by the scale, round to the nearest integer, add the zero point, and clip what
# leaves −128 to 127. scale and zero point are numbers, or arrays with an entry for each index of x's first axis, as
# for the output channels of a convolution; one can be an array and the other a number. A NaN in x is an error of
# whoever computed it, and no integer stands for it: raise a ValueError.
#
# A worked number: with scale 0.1 and zero point −20, the value −0.52 becomes −5 − 20 = −25. 20.0 would become 180,
# and is clipped to 127.
#
# <details><summary>Hint 1</summary>Start with numbers: <code>np.round(x / scale) + zero_point</code>, then <code>np.clip</code>, and <code>.astype(np.int8)</code> last: int8 wraps around where it overflows.</details>
# <details><summary>Hint 2</summary>NumPy lines up the last axes. So that an array of scales runs along the first axis, it needs an axis of length 1 for each further axis of x: shape (channels, 1, 1, 1) for a convolution.</details>
# <details><summary>Hint 3</summary><code>p = np.asarray(scale)</code> makes both kinds arrays. Where <code>p.ndim</code> is 1, take <code>p.reshape(-1, *[1] * (x.ndim - 1))</code>. The same goes for the zero point.</details>

# %%
def quantize(x, scale, zero_point):
    """Return x as int8, shaped as x. Raises ValueError if there is a NaN in x.

    scale, zero_point: numbers, or arrays (len(x),) with an entry for each index of x's first axis.
    """
    ### BEGIN SOLUTION
    #: # 1. refuse NaN   2. line arrays up with the first axis
    #: # q = ...   # the integers, still floating point and unclipped
    #: # return ....astype(np.int8)
    if np.isnan(x).any():
        raise ValueError("x has a NaN in it")

    def along_first_axis(parameter):
        p = np.asarray(parameter)
        return p.reshape(-1, *[1] * (x.ndim - 1)) if p.ndim else p

    q = np.round(x / along_first_axis(scale)) + along_first_axis(zero_point)
    return np.clip(q, -128, 127).astype(np.int8)
    ### END SOLUTION


quantize = lab.check("13.1", quantize)

# %%
from pocketlab.compression.pruning import prunable_weights
from pocketlab.compression.quantization import dequantize, sqnr_db

weights = {name.removesuffix(".weight"): w.detach().numpy() for name, w in prunable_weights(net).items()}
layer = weights["features.4.3"]
scale = np.abs(layer).max() / 127
integers = quantize(layer, scale, 0)
print(f"{layer.size:,} weights became {len(np.unique(integers))} integers, from {integers.min()} to {integers.max()}")
print(f"SQNR {sqnr_db(layer, dequantize(integers, scale)):.1f} dB")

# %% [markdown]
# SQNR is lab 01's measure: the signal's power over that of the error, in decibels. A step of 8 bits is small beside the
# weights. With fewer bits, where does the error come from?

# %% [markdown]
# ### Exercise 13.2: rounding against clipping   (difficulty 3/5, about 5 minutes)
# A symmetric grid of `bits` bits ends at ±limit and has 2^(bits − 1) − 1 steps on each side of 0. A lower limit makes
# the steps finer, and cuts more off. Measure both: a value beyond the limit is *clipped* to it (its error is what lies
# beyond), every other one is *rounded* to the nearest value of the grid. Return the sum of the squared rounding errors
# and that of the squared clipping errors, each divided by the number of **all** values. So the two add up to the mean
# squared error.
#
# A worked number: 3 bits and limit 0.9 give steps of 0.9/3 = 0.3. Of (0.2, −0.4, 1.6) the first two are off by 0.1
# each, and 1.6 by 0.7: rounding (0.01 + 0.01)/3 = 0.0067, clipping 0.49/3 = 0.1633.
#
# <details><summary>Hint 1</summary>The values beyond the limit are <code>x[np.abs(x) > limit]</code>, on both sides.</details>
# <details><summary>Hint 2</summary>Where all values or none are clipped, one of the two is a sum over nothing: that is 0, where a mean over nothing is NaN. Sum, then divide by <code>x.size</code>.</details>
# <details><summary>Hint 3</summary>Rounding: <code>inside - step * np.round(inside / step)</code>. Clipping: <code>np.abs(beyond) - limit</code>. Square, sum, divide.</details>

# %%
def rounding_and_clipping(x, limit, bits):
    """Return (rounding, clipping): the two parts of the mean squared error of x, any shape, on a grid that ends at ±limit."""
    ### BEGIN SOLUTION
    #: # step = ...
    #: # clipped = ...   # True where a value lies beyond the limit
    #: # return ..., ...
    step = limit / (2 ** (bits - 1) - 1)
    clipped = np.abs(x) > limit
    inside, beyond = x[~clipped], x[clipped]
    rounding = ((inside - step * np.round(inside / step)) ** 2).sum() / x.size
    clipping = ((np.abs(beyond) - limit) ** 2).sum() / x.size
    return rounding, clipping
    ### END SOLUTION


rounding_and_clipping = lab.check("13.2", rounding_and_clipping)

# %%
largest = float(np.abs(layer).max())
for share in (1.0, 0.7, 0.5, 0.35):
    rounding, clipping = rounding_and_clipping(layer, share * largest, 4)
    parts = f"rounding {rounding:.1e}, clipping {clipping:.1e}, sum {rounding + clipping:.1e}"
    print(f"grid to {share:4.0%} of the largest weight: {parts}")

# %% [markdown]
# A grid that ends earlier has finer steps, so rounding costs less; and it clips, which costs more the earlier it ends. The
# sum is smallest somewhere in between. Find that place in the figure, where the curves are drawn for every limit.

# %%
from pocketlab.ui.grids import GridExplorer

GridExplorer({name: weights[name] for name in ("features.4.3", "features.5.3", "features.4.0")})

# %% [markdown]
# Move **Bits** from 8 down to 2 with the grid to the largest weight, and watch the lines over the histogram: most of them
# stand where hardly a weight is. Then choose the grid with the least error. At 8 bits it ends almost at the largest weight;
# the fewer the bits, the more it pays to clip. The palette, which comes in section 3, puts its lines where the weights are.
#
# ### One grid or many
#
# A second way to a finer step is a grid for each output channel. Here is the accuracy of the network if every layer's
# weights are rounded so, straight after training (*post-training quantization*).

# %%
lab.predict("13.P1")

# %%
from pocketlab.compression.qat import quantize_weights
from pocketlab.ui.compression import accuracy_against_bits

by_bits = {
    name: {bits: right(quantize_weights(net, bits, per_channel=per_channel)) for bits in (8, 6, 5, 4, 3, 2)}
    for name, per_channel in (("a grid per channel", True), ("one grid per layer", False))
}
accuracy_against_bits(by_bits, right(net))

# %%
lab.reveal("13.P1")

# %%
table(
    [(bits, *(by_bits[name][bits] for name in by_bits)) for bits in (8, 6, 5, 4, 3, 2)],
    ["bits", *(f"{name} (%)" for name in by_bits)],
    caption="Accuracy after rounding the weights, nothing trained again",
)

# %% [markdown]
# Down to 4 bits hardly anything happens: this network has weights to spare. At 3 the ways part. One grid for a whole layer
# has to reach to its largest weight, and channels with small weights are left with a step or two, or none; a grid for each
# channel holds out longer. At 2 bits there are three values, and both are lost.
#
# These figures round the weights and compute in float32. In a real int8 file the activations are integers too, and somebody
# has to choose their ranges.
#
# ### Calibration: the range of an activation
#
# A weight is known; an activation is only seen. An *observer* watches some batches and answers with a range. Below five of
# them watch the last convolution's output on training digits, and the SQNR is that on digits they have not seen.

# %%
from pocketlab.compression.distillation import features_of
from pocketlab.compression.observers import Entropy, MinimumError, MinMax, MovingAverage, Percentile
from pocketlab.compression.quantization import affine_params
from pocketlab.compression.quantization import quantize as to_integers

with torch.no_grad(), features_of(net, ["features.5.3"]) as found:
    net(images[:512])
    watched = found["features.5.3"].numpy()
    net(unseen)
    later = found["features.5.3"].numpy()
observers = {
    "min and max": lambda bits: MinMax(),
    "moving average": lambda bits: MovingAverage(),
    "99.9 % of the values": lambda bits: Percentile(99.9),
    "least squared error": lambda bits: MinimumError(bits),
    "least lost information": lambda bits: Entropy(bits),
}

# %%
rows = []
for name, make in observers.items():
    row = [name]
    for bits in (8, 4):
        observer = make(bits)
        for batch in np.array_split(watched, 8):
            observer.observe(batch)
        scale, zero_point = affine_params(*observer.range(), bits=bits)
        restored = dequantize(to_integers(later, scale, zero_point, bits=bits), scale, zero_point)
        row += [*observer.range(), sqnr_db(later, restored)]
    rows.append(row)
table(
    rows,
    ["observer", *(f"{what} at {bits} bits" for bits in (8, 4) for what in ("from", "to", "SQNR (dB)"))],
    caption="Five ranges for one activation",
)

# %% [markdown]
# Read the column at 8 bits first. Several observers are within a decibel or two of each other, and cutting off a
# tenth of a percent costs more than it gains: with 256 steps there are enough for the rare large values. At 4 bits it
# is the other way round. Sixteen steps are worth so much that cutting off pays, and the range with the least squared
# error is far ahead of min and max.
#
# ### In a real file
#
# LiteRT's own quantizer makes three kinds of files of the float one. Measure them.

# %%
representative = images[:200].numpy()
files = {"float32": net_file}
for name, recipe in (("float16", {}), ("dynamic_int8", {}), ("static_int8", {"representative": representative})):
    files[name] = litert.quantize_file(net_file, lab.folder / f"{name}.tflite", name, **recipe).path
table([measured(name, path) for name, path in files.items()], COLUMNS, caption="One network, four formats, in LiteRT")

# %% [markdown]
# float16 halves the file and computes in float32 as before, so the time stays. *Dynamic* int8 stores a quarter and
# quantizes each activation while it runs, which in so small a network takes longer than it saves. *Static* int8 has
# all ranges fixed in the file; its kernels multiply 8-bit integers, and it is the fastest by far. None of them costs
# accuracy that 450 digits could show. In the zip int8 shrinks by a fifth only: what is left is mostly information.
#
# ### Winning bits back: train with the rounding in place
#
# With few bits the network meets errors that it never saw in training. *Quantization-aware training* lets it see them: in
# every step the layers compute with rounded weights, and the loss knows what that costs.

# %% [markdown]
# ### Exercise 13.3: the slopes of a staircase   (difficulty 3/5, about 7 minutes)
# Quantization-aware training computes with quantized weights and has to know how the loss changes with each weight. But
# a staircase is flat: its slope is 0 nearly everywhere, and nothing would learn. The *straight-through estimator*
# rounds on the way forward, and on the way back takes rounding for having the slope 1. The same estimate gives a slope
# by the scale, so that the scale can be learned as well (LSQ, *learned step size quantization*).
#
# With highest = 2^(bits − 1) − 1, return three arrays shaped as w:
#
# | | where −highest ≤ w/scale ≤ highest | where w was clipped |
# |---|---|---|
# | value | scale · round(w/scale) | ±highest · scale |
# | slope by the weight | 1 | 0 |
# | slope by the scale | round(w/scale) − w/scale | ±highest |
#
# with the sign of w in the last column. The slope by the scale is the product rule: rounding follows w/scale, whose slope is
# −w/scale², and that times the scale is −w/scale; the other factor adds round(w/scale).
#
# A worked number: with 4 bits and scale 0.1, w = 0.34 has the value 0.3 and the slopes 1 and 3 − 3.4 = −0.4. w = −0.9
# is clipped to −0.7 and has the slopes 0 and −7.
#
# <details><summary>Hint 1</summary>Keep <code>steps = w / scale</code> unrounded and unclipped: it says what is inside, <code>np.abs(steps) &lt;= highest</code>.</details>
# <details><summary>Hint 2</summary><code>q = np.clip(np.round(steps), -highest, highest)</code> are the integers. Where w was clipped, q is ±highest: the slope by the scale there.</details>
# <details><summary>Hint 3</summary>The last result is <code>np.where(inside, q - steps, q)</code>.</details>

# %%
def fake_quantize_gradients(w, scale, bits):
    """Return (values, slope by the weight, slope by the scale), each shaped as w. A weight on the very end counts as inside."""
    ### BEGIN SOLUTION
    #: # highest = ...
    #: # steps = w / scale
    #: # inside = ...
    #: # return ..., ..., ...
    highest = 2 ** (bits - 1) - 1
    steps = w / scale
    inside = np.abs(steps) <= highest
    q = np.clip(np.round(steps), -highest, highest)
    return scale * q, np.where(inside, 1.0, 0.0), np.where(inside, q - steps, q)
    ### END SOLUTION


fake_quantize_gradients = lab.check("13.3", fake_quantize_gradients)

# %%
for share in (1.0, 0.7, 0.5, 0.35):
    scale = share * largest / 7
    values, by_weight, by_scale = fake_quantize_gradients(layer, scale, 4)
    slope = 2 * np.mean((values - layer) * by_scale)
    print(f"grid to {share:4.0%}: {np.mean(by_weight):6.1%} of the weights learn; slope by the scale {slope:+.4f}")

# %% [markdown]
# The slope is that of the mean squared error. Where hardly a weight is clipped it is positive: a smaller scale would
# do better. Where many are clipped it is negative, and these weights do not learn. In between, near the limit with
# the least error of exercise 13.2, the slope is zero, and there a scale that is learned comes to rest (*learned step
# size quantization*). The library's `fake_quantize` has the same slopes inside of torch's autograd. Now train the
# network with rounded weights for four more epochs.

# %%
from pocketlab.compression.qat import finish_qat, prepare_qat

torch.manual_seed(0)
narrow = fuse(fit(DigitsNet(width=1), images, labels, epochs=15, seed=0))
rows = []
for name, model, bits in (("", net, 4), ("", net, 3), ("", net, 2), ("a quarter of the channels", narrow, 4)):
    after = right(quantize_weights(model, bits, per_channel=False))
    learning = fit(prepare_qat(model, bits, per_channel=False), images, labels, epochs=4, rate=2e-3, seed=0)
    rows.append((name or "all channels", bits, right(model), after, right(finish_qat(learning))))
table(
    rows,
    ["network", "bits", "float (%)", "rounded after training (%)", "trained with rounding (%)"],
    caption="One grid per layer",
)

# %% [markdown]
# Four epochs bring back what rounding took, even at 3 and at 2 bits, where the rounded network was lost. The last row
# is for the question whether 4 bits are harmless: in a network with a quarter of the channels they are not, and there
# training wins them back too. (An accuracy above that of float32 is no miracle: the training goes on for four epochs,
# and 450 digits tell differences of half a point apart with difficulty.)
#
# ## 3. Palettize
#
# A grid spaces its values evenly, whatever the weights are. A *palette* chooses them: k-means finds the 16 values with the
# least squared error, the file keeps these once, and for each weight the 4-bit number of its value. Core ML runs such
# files directly since iOS 16.

# %% [markdown]
# ### Exercise 13.4: the nearest color   (difficulty 2/5, about 4 minutes)
# A palette keeps a few values, its *colors*, and each weight only the index of one of them. The colors need not be
# evenly spaced: k-means puts more of them where there are more weights. For each value return the index of the nearest
# color, as uint8, which is enough for 256 of them. The centers ascend, and no value lies halfway between two.
#
# A worked number: with the centers (−1, −0.3, 0.2, 0.9) the value 0.8 gets index 3. 0.1 gets index 2, although it lies
# below that color, and −9 gets index 0.
#
# <details><summary>Hint 1</summary>Either compare every value with every color, or only with the midpoints between neighboring ones.</details>
# <details><summary>Hint 2</summary><code>values[..., np.newaxis] - centers</code> has all differences, for values of any shape; take <code>np.abs</code>, then <code>.argmin(axis=-1)</code>.</details>
# <details><summary>Hint 3</summary>Faster, and it needs less memory: <code>np.searchsorted(midpoints, values)</code> counts the midpoints below each value, and that is the index.</details>

# %%
def nearest(values, centers):
    """Return the index of the nearest center for each value, as uint8 shaped as the values (any shape).

    centers: (colors,) ascending, 1 to 256 of them.
    """
    ### BEGIN SOLUTION
    #: # indices = ...
    #: # return indices.astype(np.uint8)
    midpoints = (centers[1:] + centers[:-1]) / 2
    indices = np.searchsorted(midpoints, values)
    return indices.astype(np.uint8)
    ### END SOLUTION


nearest = lab.check("13.4", nearest)

# %%
from pocketlab.compression.palettization import exact_kmeans
from pocketlab.ui.compression import histogram_with_levels

palettes = {bits: exact_kmeans(layer, 2**bits) for bits in (4, 3)}
indices = nearest(layer, palettes[4])
print(f"indices {indices.dtype}, {indices.min()} to {indices.max()}; SQNR {sqnr_db(layer, palettes[4][indices]):.1f} dB")
grid = np.arange(-7, 8) * np.abs(layer).max() / 7
histogram_with_levels(layer, {"4-bit grid": grid, "4-bit palette": palettes[4], "3-bit palette": palettes[3]})

# %% [markdown]
# The palette's values crowd where the weights are, and leave the tails to a few. Even 3 bits so look better than the
# 4-bit grid at the center. How much better is it in decibels?

# %%
from pocketlab.compression.palettization import palettize, palettize_vectors
from pocketlab.compression.quantization import weight_scales
from pocketlab.ui.compression import error_against_bits


def rounded(w, scale, bits):
    return dequantize(to_integers(w, scale, bits=bits, narrow_range=True), scale)


stored = {
    "one grid": lambda w, bits: rounded(w, np.abs(w).max() / (2 ** (bits - 1) - 1), bits),
    "a grid per channel": lambda w, bits: rounded(w, weight_scales(w, bits=bits), bits),
    "one palette": lambda w, bits: palettize(w, bits).weights(),
    "a palette per 32 channels": lambda w, bits: palettize(w, bits, group_channels=32).weights(),
    "palette of pairs": lambda w, bits: palettize_vectors(w, 2 * bits, 2).weights(),
}
decibels = {
    way: {bits: sqnr_db(layer, store(layer, bits)) for bits in ((2, 3, 4) if "pairs" in way else (2, 3, 4, 5, 6))}
    for way, store in stored.items()
}
error_against_bits(decibels, "features.4.3")

# %%
table(
    [(bits, *(decibels[way].get(bits) for way in stored)) for bits in (2, 3, 4, 5, 6)],
    ["bits", *(f"{way} (dB)" for way in stored)],
    caption="SQNR of one layer's weights",
)

# %% [markdown]
# At equal bits one palette beats one grid by far where bits are few, and a grid for each channel catches up with it
# at 5 or 6. Palettes for groups of channels add little here. Pairs of weights that share one index (the last column,
# up to 4 bits a weight) do better again: one index chooses from many pairs at once, and the pairs can lie where pairs
# of weights are.
#
# What the palette cannot do: its numbers are names. A processor that multiplies integers has to look each weight up
# first, so palettes save memory and download, and grids save time as well.
#
# ### How small can the file get?
#
# Sixteen values need 4 bits each if all are written alike. But some values are common and some are rare, and a code may
# give the common ones the shorter words. How much there is to gain is told by the *entropy*.

# %% [markdown]
# ### Exercise 13.5: bits per symbol   (difficulty 2/5, about 4 minutes)
# An index of 4 bits takes 4 bits in the file, however rare its color is. A code that spends short words on frequent
# symbols needs fewer on average, and *entropy* says how few are possible: −Σ p · log2(p) over the symbols that occur,
# where p is a symbol's share. The symbols are whole numbers from 0 on, in an array of any shape. If there are none,
# raise a ValueError.
#
# A worked number: of (0, 0, 0, 0, 1, 1, 2, 2) the shares are 1/2, 1/4 and 1/4, with 1, 2 and 2 bits: 1/2 · 1 + 1/4 · 2
# + 1/4 · 2 = 1.5 bits. An index of fixed length takes 2.
#
# <details><summary>Hint 1</summary><code>np.unique(symbols, return_counts=True)</code> counts the symbols that occur, whatever the shape.</details>
# <details><summary>Hint 2</summary><code>np.bincount</code> is faster. It wants one axis (<code>symbols.ravel()</code>), and it counts symbols that do not occur as 0, for which 0 · log2(0) is NaN: leave them out.</details>
# <details><summary>Hint 3</summary>Divide the counts by their sum, multiply each share by its <code>np.log2</code>, add up, and change the sign.</details>

# %%
def entropy_bits(symbols):
    """Return the entropy of the symbols (integers, any shape) in bits per symbol. Raises ValueError if there are none."""
    ### BEGIN SOLUTION
    #: # share = ...   # of each symbol that occurs
    #: # return ...
    if symbols.size == 0:
        raise ValueError("there are no symbols")
    _, counts = np.unique(symbols, return_counts=True)
    share = counts / counts.sum()
    return -(share * np.log2(share)).sum()
    ### END SOLUTION


entropy_bits = lab.check("13.5", entropy_bits)

# %%
from pocketlab.compression.coding import huffman_bytes

as_bytes = nearest(layer, palettes[4]).tobytes()
print(f"written alike:  {4 * layer.size / 8 / 1000:.1f} kB, 4 bits an index")
print(f"entropy:        {entropy_bits(indices) * layer.size / 8 / 1000:.1f} kB, {entropy_bits(indices):.2f} bits an index")
print(f"Huffman's code: {huffman_bytes(indices) / 1000:.1f} kB with its table")
print(f"zip:            {len(zlib.compress(as_bytes, 9)) / 1000:.1f} kB, from one byte an index")

# %% [markdown]
# The code comes within a percent or two of the entropy. The common values near zero get words of 3 bits, the rare
# ones at the ends 6 or more. It is a small gain by itself, because k-means gives all values their share; with many
# zeros it becomes a large one. The zip, which knows nothing of 4-bit indices, does worse than writing them alike.
#
# ## 4. Prune
#
# ### Single weights
#
# Many weights are close to zero. *Pruning* sets these to exactly zero, and lets the others make up for it.

# %% [markdown]
# ### Exercise 13.6: a mask that drops the smallest weights   (difficulty 3/5, about 6 minutes)
# A small weight changes the output of its layer least, so it goes first. Return a bool mask of the weights' shape, True
# where a weight stays. Exactly `round(sparsity * count)` entries go, count being the number of all weights and `round`
# Python's own; of equal magnitudes those go that come first in the flattened tensor. Raise a ValueError unless
# 0 ≤ sparsity < 1, and for a NaN among the weights.
#
# The weights may be a layer's parameter; leave them as they are. You may compute with torch or with NumPy (then begin with
# `weights.detach().numpy()`).
#
# A worked number: of (0.5, −0.1, 0.3, −0.8) at sparsity 0.5 the two smallest magnitudes go, 0.1 and 0.3, and the mask is
# (True, False, False, True).
#
# <details><summary>Hint 1</summary>A threshold drops all weights that are equal to it together. Drop by position instead: which positions hold the smallest magnitudes?</details>
# <details><summary>Hint 2</summary><code>weights.abs().flatten().argsort(stable=True)</code> gives the positions from the smallest magnitude to the largest; <code>stable</code> keeps equal ones in their order.</details>
# <details><summary>Hint 3</summary>Begin with a flat mask, <code>torch.ones(weights.numel(), dtype=torch.bool)</code>, set <code>mask[order[:count]] = False</code>, and give it the shape of the weights.</details>

# %%
def magnitude_mask(weights, sparsity):
    """Return a bool mask shaped as `weights` (any shape), True where a weight stays; round(sparsity · count) go.

    Raises ValueError unless 0 ≤ sparsity < 1, and for a NaN among the weights.
    """
    ### BEGIN SOLUTION
    #: # if ...:
    #: #     raise ValueError(...)
    #: # order = ...   # the flat positions, from the smallest magnitude to the largest
    #: # mask = torch.ones(weights.numel(), dtype=torch.bool)
    #: # return ...
    if not 0 <= sparsity < 1 or weights.isnan().any():
        raise ValueError(f"sparsity is from 0 to below 1 and weights are numbers; got sparsity {sparsity}")
    order = weights.abs().flatten().argsort(stable=True)
    mask = torch.ones(weights.numel(), dtype=torch.bool)
    mask[order[: round(sparsity * len(order))]] = False
    return mask.reshape(weights.shape)
    ### END SOLUTION


magnitude_mask = lab.check("13.6", magnitude_mask)

# %%
lab.predict("13.P2")

# %% [markdown]
# ### Exercise 13.7: how sparse the network should be at a step   (difficulty 2/5, about 4 minutes)
# Dropped at once, so many weights are missed; dropped while the network trains on, the others take over. Zhu and Gupta
# prune fast at first, when much is redundant, and ever slower:
#
# sparsity = final · (1 − (1 − progress)³),
#
# where the progress goes from 0 at the step `begin` to 1 at the step `end`. Before `begin` nothing is pruned, and after
# `end` the sparsity stays at `final`. Raise a ValueError if `begin >= end`, and unless 0 ≤ final < 1, whatever the step.
#
# A worked number: from step 0 to 100 with final 0.8 the sparsity is 0.4625 at step 25, 0.7 at 50 and 0.7875 at 75.
#
# <details><summary>Hint 1</summary>Progress is <code>(step - begin) / (end - begin)</code>. What is it at a step before <code>begin</code>, and what should it be?</details>
# <details><summary>Hint 2</summary><code>min(max(progress, 0), 1)</code> keeps it between 0 and 1. Check the arguments before you divide.</details>

# %%
def gradual_sparsity(step, begin, end, final):
    """Return the sparsity due at a training step, from 0 (up to the step `begin`) to `final` (from the step `end` on).

    Raises ValueError unless begin < end and 0 ≤ final < 1.
    """
    ### BEGIN SOLUTION
    #: # if ...:
    #: #     raise ValueError(...)
    #: # progress = ...   # 0 up to begin, 1 from end on
    #: # return ...
    if begin >= end or not 0 <= final < 1:
        raise ValueError(f"begin comes before end, and final is from 0 to below 1; got {begin}, {end} and {final}")
    progress = min(max((step - begin) / (end - begin), 0), 1)
    return final * (1 - (1 - progress) ** 3)
    ### END SOLUTION


gradual_sparsity = lab.check("13.7", gradual_sparsity)

# %% tags=["nbval-check-output"]
for step in (0, 13, 26, 39, 52):
    print(f"step {step:2} of 52: {gradual_sparsity(step, 0, 52, 0.8):5.1%} of the weights are to be zero")

# %% [markdown]
# The next cell does it with your two functions: at each step of training it asks which sparsity is due, masks the smallest
# weights of every large layer, and sets them to zero. From 60 % of the steps on the sparsity stays.

# %%
from pocketlab.compression.pruning import apply_masks


def pruning(model, final, notes=None):
    """Return the masks, to be filled, and what to do after each step of training."""
    masks = {name: torch.ones_like(w, dtype=torch.bool) for name, w in prunable_weights(model).items()}

    def after_step(step, steps):
        if step <= 0.6 * steps:
            for name, weight in prunable_weights(model).items():
                if weight.numel() > 2000:
                    due = gradual_sparsity(step, 0, int(0.6 * steps), final)
                    masks[name] = torch.as_tensor(np.asarray(magnitude_mask(weight.detach(), due)))
        apply_masks(model, masks)
        if notes is not None and step % 8 == 0:
            notes.append((step, 100 * sparsity(model), right(model.eval())))
            model.train()

    return masks, after_step

# %%
import copy

from pocketlab.compression.pruning import sparsity
from pocketlab.ui.compression import schedule

at_once, sparse, notes = copy.deepcopy(net), copy.deepcopy(net), []
apply_masks(at_once, {name: magnitude_mask(w.detach(), 0.8) for name, w in prunable_weights(at_once).items()})
masks, after_step = pruning(sparse, 0.8, notes)
fit(sparse, images, labels, epochs=4, rate=3e-3, after_step=after_step, seed=0)
print(f"80 % at once: {right(at_once):.1f} %; in steps, trained on: {right(sparse):.1f} %")
schedule(notes, {int(0.6 * 4 * 22): "sparsity reached"})

# %% [markdown]
# The accuracy dips while most of the weights go, and comes back while what is left learns on. At the end four in five
# weights of the large layers are gone.

# %%
from pocketlab.runtimes.tflite_weights import exchange_weights

sparse_file = exchange_weights(net_file, lab.folder / "sparse.tflite", net, sparse).path
table([baseline, measured("80 % zeros", sparse_file)], COLUMNS, caption="Zeros in LiteRT")

# %%
lab.reveal("13.P2")

# %% [markdown]
# The same file size, the same time, and a far smaller zip. LiteRT multiplies by zero as fast as by anything else.
# (XNNPACK has kernels for sparse weights, which need another layout in the file and pay from about 70 % of zeros on;
# no converter used here writes it.)

# %% [markdown]
# ### Whole channels
#
# What is faster on every processor is a smaller network: fewer channels. A channel is taken out with the filter that makes
# it and with the inputs of the next layer that read it. Which ones?

# %% [markdown]
# ### Exercise 13.8: what each output channel is worth   (difficulty 2/5, about 4 minutes)
# Zeros that lie scattered make a file smaller, but an ordinary processor still multiplies by them. It is faster only if whole
# channels go. Which ones? Without a channel each of its weights moves from w to 0, so to first order the loss changes by
# −Σ w · ∂L/∂w, summed over all weights of the channel. The size of this change, |Σ w · ∂L/∂w|, is the channel's
# importance.
#
# Return it for each output channel, axis 0 of the weight. The weight is that of a linear layer (outputs, inputs) or a
# convolution (outputs, inputs, 3, 3), and the gradient has the same shape. The weight may be a layer's parameter; leave it
# as it is. You may compute with torch or with NumPy (then begin with `weight.detach().numpy()`).
#
# A worked number: weights ((1, −2), (0.5, 3)) with gradients ((0.5, 0.5), (−1, 1)) give (0.5, 2.5): in the first channel
# |0.5 − 1|, in the second |−0.5 + 3|.
#
# <details><summary>Hint 1</summary>The channel goes as a whole, so its weights may cancel: does the magnitude come before the sum or after it?</details>
# <details><summary>Hint 2</summary><code>(weight * gradient).flatten(1)</code> has one row for each output channel, whatever the number of axes.</details>

# %%
def taylor_importance(weight, gradient):
    """Return (outputs,): |Σ w·∂L/∂w| of each output channel; weight and gradient: (outputs, inputs, …)."""
    ### BEGIN SOLUTION
    #: # products = ...   # one row for each output channel
    #: # return ...
    products = (weight * gradient).flatten(1)
    return products.sum(1).abs()
    ### END SOLUTION


taylor_importance = lab.check("13.8", taylor_importance)

# %% [markdown]
# One thing more is needed for a trained network. Over a whole batch the gradients nearly cancel, whatever a channel
# is worth: that is what training was for. So the library's `prune_channels` takes your sum for each example by
# itself, squares it and averages (*Fisher pruning*), adds up the layers that a channel ties together, and takes out
# what is worth least for the multiply-adds that it costs. It keeps multiples of eight, as fast kernels like it. The
# network is cut twice, and trained for three epochs after each cut.

# %%
from pocketlab.compression.channels import multiply_adds, prune_channels


def loss(model):
    return torch.nn.functional.cross_entropy(model(images[:512]), labels[:512])


slim, start, share = {}, trained, 1.0
rows = [("all", sum(multiply_adds(trained, images[:1]).values()) / 1e6, float_bytes // 4, None, right(net))]
for remaining in (0.5, 0.3):
    cut = prune_channels(start, images[:1], remaining=remaining / share, loss=loss)
    before = right(cut.eval())
    start, share = fit(cut, images, labels, epochs=3, rate=3e-3, seed=0), remaining
    slim[remaining] = start
    cost = sum(multiply_adds(start, images[:1]).values()) / 1e6
    parameters = sum(p.numel() for p in start.parameters())
    rows.append((f"{remaining:.0%}", cost, parameters, before, right(start)))
table(
    rows,
    ["multiply-adds left", "millions", "parameters", "accuracy when cut (%)", "after 3 epochs (%)"],
    caption="Channels taken out, the least important for its cost first",
)

# %%
lab.predict("13.P4")

# %%
half_file = litert.export(fuse(slim[0.5]), images[:1], lab.folder / "half.tflite").path
rows = [baseline, measured("80 % zeros", sparse_file), measured("half of the multiply-adds", half_file)]
table(rows, COLUMNS, caption="Zeros against channels, in LiteRT")

# %%
lab.reveal("13.P4")

# %%
from pocketlab.compression.pruning import n_m_mask
from pocketlab.ui.compression import sparsity_masks

net.zero_grad()
loss(net).backward()
weight = prunable_weights(net)["features.4.3.weight"]
outputs = torch.as_tensor(taylor_importance(weight, weight.grad))
inputs = torch.as_tensor(taylor_importance(weight.transpose(0, 1), weight.grad.transpose(0, 1)))
best = [torch.as_tensor(np.asarray(magnitude_mask(scores.detach(), 0.5))) for scores in (outputs, inputs)]
sparsity_masks(
    {
        "single weights": masks["features.4.3.weight"].flatten(1).numpy(),
        "2 of 4 neighbors": n_m_mask(weight, 2, 4).flatten(1).numpy(),
        "channels": (best[0][:, None] & best[1]).numpy(),
    }
)

# %% [markdown]
# Here is the difference in a picture. Single zeros leave no row and no column empty, so the kernel's loops are as
# long as before. 2 of 4 is a pattern that some GPUs skip in hardware; a phone's CPU does not. The third picture takes
# the half of the rows and of the columns that your scores rate highest: what is white can be cut away, and a quarter
# of the matrix remains. That is why cutting channels saves time as well.
#
# ## 5. Distil
#
# Instead of making a network smaller, train a small one, and let the large one teach it. The *student* here has a
# thirteenth of the parameters.
#
# What a teacher knows beyond the label shows in its wrong answers: that a certain 3 looks a little like a 9. After a softmax
# hardly anything of this is left. Dividing the logits by a *temperature* T before the softmax brings it out.

# %%
from pocketlab.compression.distillation import soften, teacher_logits
from pocketlab.ui.compression import softened

answers = teacher_logits(net, unseen)
doubtful = int(torch.softmax(answers, 1).max(1).values.argsort()[40])
softened(
    {f"T = {t}": soften(answers[doubtful : doubtful + 1], t)[0].numpy() for t in (1, 4, 16)},
    digits.test_images[doubtful],
)

# %% [markdown]
# At T = 1 nearly all goes to one class. At 4 the others come out, in the teacher's order of likeness. At 16 all
# classes are nearly equal, and the order is hard to hear.

# %% [markdown]
# ### Exercise 13.9: the loss of a student that learns from a teacher   (difficulty 4/5, about 7 minutes)
# A label says "this is a 4". A trained network says "a 4, perhaps a 9, surely no 0", and a smaller network learns more from
# that. So that the small probabilities count, both networks' logits are divided by a temperature T before the softmax. With
# p the teacher's softened answer and q the student's, the loss is
#
# T² · KL(p ‖ q) = T² · Σ p · (log p − log q), summed over the classes, mean over the batch.
#
# The factor T² keeps the gradient's size: it falls off as 1/T² otherwise. Huge logits must give a finite loss. Raise a
# ValueError if the shapes differ, and for a temperature that is not positive. Stay in torch: training needs the gradient.
#
# A worked number: the teacher's logits (2, 0) and the student's (1, 0) at T = 2 give p = (0.731, 0.269) and
# q = (0.622, 0.378), a divergence of 0.0263 and a loss of 0.105.
#
# <details><summary>Hint 1</summary>A softmax of huge logits is exactly 0 in places, and its logarithm −∞. <code>torch.log_softmax</code> computes both at once and stays finite.</details>
# <details><summary>Hint 2</summary>Written out, with <code>log_p</code> and <code>log_q</code>, the terms are <code>log_p.exp() * (log_p - log_q)</code>; the classes are the last axis.</details>
# <details><summary>Hint 3</summary>Or <code>torch.nn.functional.kl_div(log_q, log_p, reduction="batchmean", log_target=True)</code>: the student comes first, and the default reduction is the mean over all entries.</details>

# %%
def soft_target_loss(student, teacher, temperature):
    """Return T²·KL(teacher ‖ student) of the softened answers, mean over the batch; logits are (batch, classes).

    Raises ValueError for logits of different shapes, or a temperature that is not positive.
    """
    ### BEGIN SOLUTION
    #: # if ...:
    #: #     raise ValueError(...)
    #: # log_p = ...   # the teacher's softened log-probabilities
    #: # log_q = ...   # the student's
    #: # return ...
    if student.shape != teacher.shape or temperature <= 0:
        raise ValueError(f"shapes {tuple(student.shape)} and {tuple(teacher.shape)}, temperature {temperature}")
    log_p = torch.log_softmax(teacher / temperature, dim=-1)
    log_q = torch.log_softmax(student / temperature, dim=-1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    ### END SOLUTION


soft_target_loss = lab.check("13.9", soft_target_loss)

# %% [markdown]
# A teacher needs no labels to answer. So take the case in which it helps most: there are 200 labelled pictures, and 1,147
# without a label. The student alone learns from the 200; with the teacher it learns from its answers on all.

# %%
lab.predict("13.P3")

# %%
def new_student(seed=0):
    torch.manual_seed(seed)
    return DigitsNet(width=1)


targets = teacher_logits(trained, images)
alone = fit(new_student(), images[:200], labels[:200], epochs=60, seed=0)
taught = fit(
    new_student(), images, targets, epochs=15, seed=0,
    loss=lambda logits, inputs, wanted: soft_target_loss(logits, wanted, 4.0),
)
student_size = sum(p.numel() for p in taught.parameters())
print(f"teacher {float_bytes // 4:,} parameters, student {student_size:,}: {float_bytes / 4 / student_size:.1f} times fewer")

# %%
table(
    [
        ("teacher", "all 1,347 labels", right(trained)),
        ("student alone", "200 labels", right(alone)),
        ("student, taught", "the teacher's answers, no label", right(taught)),
        ("student alone", "all 1,347 labels", right(narrow)),
    ],
    ["network", "learned from", "accuracy (%)"],
    caption="Four trainings",
)

# %%
lab.reveal("13.P3")

# %% [markdown]
# The student that never saw a label is several points ahead of the one with 200, and close to its teacher with a
# thirteenth of the parameters. The last row is the honest comparison for an easy task: if all labels are there, a
# student of this size does about as well alone. Distillation pays where labels are few, or where the task is harder
# than this one.
#
# ## 6. All together: a fortieth
#
# The methods multiply. Take the network with 30 % of the multiply-adds left, set three quarters of its remaining weights to zero
# while it learns from the large one, give what stays a palette of 16 values and train these, and code the rest as Han et al.
# did in *Deep Compression*: positions as steps to the next weight, indices and steps in Huffman's code.

# %%
from pocketlab.compression.deep_compression import coded_layers, share_weights


def soft(logits, inputs, wanted):
    return soft_target_loss(logits, wanted, 4.0)


slim_net = fuse(slim[0.3])
small = copy.deepcopy(slim_net)
masks, after_step = pruning(small, 0.75)
fit(small, images, targets, epochs=8, rate=3e-3, loss=soft, after_step=after_step, seed=0)
shared = fit(share_weights(small, masks, 4), images, targets, epochs=3, rate=1e-3, loss=soft, seed=0)

# %%
from pocketlab.compression.coded_model import decode_model, encode_model

coded = encode_model(shared)
coded_file = lab.folder / "fortieth.bin"
coded_file.write_bytes(coded)
layers = coded_layers(shared)
biases = sum(4 * p.numel() for name, p in slim_net.named_parameters() if name.endswith("bias"))
alike = sum(layer.kept * (4 + 5) / 8 + layer.palette_bytes for layer in layers) + biases
steps = [
    ("float32", float_bytes, right(net)),
    ("fewer channels", 4 * sum(p.numel() for p in slim_net.parameters()), right(slim_net)),
    ("75 % zeros, float32 and 5-bit steps", sum(layer.kept * (32 + 5) / 8 for layer in layers) + biases, right(small)),
    ("palettes of 16, 4-bit indices", alike, right(shared)),
    ("Huffman's code, the file", len(coded), right(shared)),
]
table(
    [(name, size / 1000, float_bytes / size, percent) for name, size, percent in steps],
    ["after", "size (kB)", "times smaller", "accuracy (%)"],
    caption="One network, step by step",
)

# %% [markdown]
# Read the column of factors: each method multiplies what the one before left, and the accuracy is not below that of
# the start, which had fewer epochs. The first line counts four bytes for each parameter; the last one is the length
# of a real file with everything but the graph in it: codes, palettes, positions, biases.

# %%
slim_file = litert.export(slim_net, images[:1], lab.folder / "slim.tflite").path
decoded = decode_model(coded_file.read_bytes(), slim_net)
final = exchange_weights(slim_file, lab.folder / "fortieth.tflite", slim_net, decoded).path
table([baseline, measured("a fortieth, decoded", final)], COLUMNS, caption="The coded file, decoded and run in LiteRT")

# %% [markdown]
# The coded file comes back bit for bit, its weights go into the .tflite of the slim network, and LiteRT runs it: the
# accuracy is the one above. Its speed comes from the channels, its size from all the rest. An app would ship the
# coded file with the graph, decode it once, and keep the .tflite. The zip of that .tflite, the size without a decoder
# of your own, is larger: it holds the graph, and zip's code does not know what you know about the indices.
#
# ## 7. The front
#
# Which of these networks should an app ship? That depends on the phone. Make forty variants: five networks (all channels, a
# half, 30 % and 20 % of the multiply-adds, and the student), each stored in eight ways, all measured in LiteRT.
# What is palettized counts with its coded file, which an app decodes when it starts; the others with their zip.

# %%
cut = prune_channels(slim[0.3], images[:1], remaining=0.2 / 0.3, loss=loss)
slim[0.2] = fit(cut, images, targets, epochs=8, loss=soft, seed=0)
networks = {"all channels": net, "half": fuse(slim[0.5]), "30 %": slim_net, "20 %": fuse(slim[0.2]), "student": fuse(taught)}
float_files = {"all channels": net_file, "half": half_file, "30 %": slim_file}
for name in ("20 %", "student"):
    float_files[name] = litert.export(networks[name], images[:1], lab.folder / f"{name}.tflite").path


def coded_forms(model):
    """Three models to be coded: palettes of 16 and of 8 values, and a palette with 60 % zeros, trained."""
    everything = {name: torch.ones_like(w, dtype=torch.bool) for name, w in prunable_weights(model).items()}
    sparse = copy.deepcopy(model)
    masks, after_step = pruning(sparse, 0.6)
    fit(sparse, images, targets, epochs=3, rate=3e-3, loss=soft, after_step=after_step, seed=0)
    return {
        "4-bit palette": share_weights(model, everything, 4),
        "3-bit palette": share_weights(model, everything, 3),
        "60 % zeros, 4-bit palette": share_weights(sparse, masks, 4),
    }

# %%
from pocketlab.ui.front import FrontExplorer, Phone, Variant


origins = {
    "all channels": "The first network, stored as",
    "half": "Channels cut to half of the multiply-adds, stored as",
    "30 %": "Channels cut to 30 % of the multiply-adds, stored as",
    "20 %": "Channels cut to 20 % of the multiply-adds and taught, stored as",
    "student": "A thirteenth of the parameters, taught, stored as",
}


def variants_of(family):
    """Write eight files of one network, and measure them."""
    model, path, folder = networks[family], float_files[family], lab.folder / "front"
    made = {"float32": (path, None)}
    for recipe, options in (("float16", {}), ("dynamic_int8", {}), ("static_int8", {"representative": representative})):
        out = folder / f"{family} {recipe}.tflite"
        made[recipe] = litert.quantize_file(path, out, recipe, **options).path, None
    for recipe, changed in {"4-bit grid": quantize_weights(model, 4), **coded_forms(model)}.items():
        coded = None if recipe == "4-bit grid" else len(encode_model(changed))
        out = folder / f"{family} {recipe}.tflite"
        made[recipe] = exchange_weights(path, out, model, finish_qat(changed)).path, coded
    for recipe, (file, coded) in made.items():
        _, _, zipped, percent, p90 = measured(recipe, file)
        yield Variant(f"{family}, {recipe}", family, f"{origins[family]} {recipe}", coded or round(1000 * zipped), percent, p90)


variants = [variant for family in networks for variant in variants_of(family)]
print(len(variants), "variants measured")

# %% [markdown]
# ### Exercise 13.10: the variants that no other one beats   (difficulty 3/5, about 6 minutes)
# You have forty compressed variants, each with a size, a latency and an error. Which is best depends on what somebody
# needs, but some are worth nobody's while: another one is no worse in any measure and better in at least one. That one
# *beats* them. The variants that no other one beats are the Pareto front.
#
# `costs` is an array (variants, measures), of which less is better in every column. Return a bool for each variant, True on
# the front, in the order of the rows. Equal variants do not beat each other; without variants the result is empty.
#
# A worked number: of the costs (4, 1), (2, 3), (3, 4), (1, 5), (5, 2) the second beats the third and the first beats the
# fifth, so the front is (True, True, False, True, False).
#
# <details><summary>Hint 1</summary>First write when one row <code>a</code> beats another <code>b</code>: one condition with <code>all</code> and one with <code>any</code>.</details>
# <details><summary>Hint 2</summary>Two loops will do. Without loops: <code>costs[:, None] &lt;= costs</code> has shape (variants, variants, measures) and compares every row with every other one.</details>
# <details><summary>Hint 3</summary>Reduce the last axis with <code>all</code> for "no worse" and with <code>any</code> for "better". <code>beats[i, j]</code> then says whether i beats j, and j is out if any i does.</details>

# %%
def pareto_front(costs):
    """Return bool (variants,), True where no other variant is as good in all measures and better in one.

    costs: (variants, measures), less is better.
    """
    ### BEGIN SOLUTION
    #: # no_worse = ...   # [i, j]: variant i is no worse than j in any measure
    #: # better = ...     # [i, j]: variant i is better than j in at least one
    #: # return ...
    no_worse = (costs[:, None] <= costs).all(axis=-1)
    better = (costs[:, None] < costs).any(axis=-1)
    return ~(no_worse & better).any(axis=0)
    ### END SOLUTION


pareto_front = lab.check("13.10", pareto_front)

# %% tags=["nbval-check-output"]
print(np.asarray(pareto_front(np.array([[4, 1], [2, 3], [3, 4], [1, 5], [5, 2]]))).tolist())

# %%
costs = np.array([(v.size_bytes, v.p90_us, 100 - v.accuracy) for v in variants])
front = np.asarray(pareto_front(costs))
best = sorted((v for v, on in zip(variants, front, strict=True) if on), key=lambda v: v.size_bytes)
table(
    [(v.name, v.size_bytes / 1000, v.accuracy, v.p90_us) for v in best],
    ["variant", "size (kB)", "accuracy (%)", "p90 (µs)"],
    caption=f"{len(best)} of {len(variants)} variants that no other beats",
)

# %% [markdown]
# Read it from the top: each step down costs bytes and must bring accuracy or time, or else it would not be in the
# list. Most of the forty are missing: for each of them another one is at least as good in all three. With 450 digits
# half a point means little, and not one wrong is not perfection.

# %%
fast = baseline[-1]
phones = [
    Phone("a watch", largest_kb=10, longest_us=round(fast, 1)),
    Phone("an old phone", largest_kb=50, longest_us=round(0.3 * fast, 1)),
    Phone("a new phone", largest_kb=150, longest_us=round(0.6 * fast, 1)),
]
explorer = FrontExplorer(variants, phones)
explorer

# %% [markdown]
# The three budgets are made up, as shares of what the float32 network takes here; the sizes and times are measured,
# on this machine and not on a phone. Choose a **Phone**, look at which variants are left, change the **Axis**, and
# move **Variant** through them. Under the figure stands what beats the one that you are at. Take one for each phone,
# then run the next cell.

# %%
for phone in phones:
    fitting = [v for v in variants if phone.fits(v)]
    pick = max(fitting, key=lambda v: (v.accuracy, -v.size_bytes), default=None)
    mine = explorer.choices.get(phone.name, "nothing taken yet")
    print(f"{phone.name}: you took {mine}; the most accurate that fits is {pick.name if pick else 'none'}")

# %% [markdown]
# ## 8. Quiz

# %%
lab.quiz()

# %% [markdown]
# ## Take away
# - You can now say what quantization, palettes, pruning and distillation each save: bytes of the file, of the download, or time.
# - You can now find the cause of a loss (clipping, rounding, one grid for unequal channels), and the training that wins it back.
# - You can now lay many variants out as a front, and choose for a phone.
#
# **What production does differently**: it measures on the phones, with the whole app running; tries recipes by the
# hundred and keeps the front of each release; and its accuracy is measured on more than 450 examples, with the
# classes that matter counted apart.
#
# **Your artifacts** are listed by the last cell: `fortieth.bin`, which `decode_model` reads, the same network as
# `fortieth.tflite`, and the forty variants in the folder `front`. They lie in your Pocketlab folder,
# `~/.pocketlab/artifacts/13`.
#
# **Further reading**: Han et al., *Deep Compression*, 2016. Nagel et al., *A White Paper on Neural Network
# Quantization*, 2021. Esser et al., *Learned Step Size Quantization*, 2020. Zhu and Gupta, *To Prune, or Not to
# Prune*, 2018. Molchanov et al., *Importance Estimation for Neural Network Pruning*, 2019. Elsen et al., *Fast Sparse
# ConvNets*, 2020. Hinton et al., *Distilling the Knowledge in a Neural Network*, 2015.
#
# **Stretch exercise**: give every layer its own number of bits. `pocketlab.compression.mixed_precision` measures what
# each layer loses and chooses the best bits for a budget. Does it move the front?

# %%
print(*sorted(path.name for path in lab.folder.iterdir() if not path.name.startswith(".")), sep="\n")
