"""Which MIL operators the Apple Neural Engine is known to take: an estimate, each row with its source.

Apple publishes no list. What is known comes from Apple's guides, from compute plans of published models, and from people
who probed the hardware; they differ by chip and system, and Core ML may keep an operator on the CPU that the Neural Engine
could take. On a Mac `runtimes.coreml.compute_plan` asks the real runtime.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["yes", "conditions", "no", "unknown"]

LABEL = "Estimate from published notes, not a compute plan: only Apple's runtime decides what runs where."

SOURCES = {
    "typed": "Apple, Core ML Tools guide, Typed Execution",
    "whats new": "Apple, Core ML Tools guide, Optimization: What's New",
    "forum": "Apple, Developer Forums, thread 724930 (2023)",
    "transformers": "Apple, Deploying Transformers on the Apple Neural Engine (2022)",
    "plan": "Argmax, whisperkit-coreml, mlcomputeplan.json of AudioEncoder (a real compute plan)",
    "hollance": "Hollemans, github.com/hollance/neural-engine, docs/unsupported-layers.md (observed)",
    "catalog": "ANEForge, github.com/sbryngelson/ANEForge, docs/op-catalog.md (probed on M1 to M5, 2026)",
}
"""Where each statement comes from: Apple's own word, a plan that Apple's runtime made, or what others measured."""


@dataclass(frozen=True)
class Row:
    """What is known of one operator on the Neural Engine."""

    operator: str
    verdict: Verdict
    why: str
    source: str


def _rows(operators: str, verdict: Verdict, why: str, *sources: str) -> dict[str, Row]:
    cited = "; ".join(SOURCES[source] for source in sources)
    return {operator: Row(operator, verdict, why, cited) for operator in operators.split()}


_TABLE: dict[str, Row] = {
    **_rows("conv", "yes", "What the hardware is built for. Dilated ones were reported as refused, later as taken; "
            "kernels have a largest size.", "plan", "transformers", "hollance", "catalog"),
    **_rows("conv_transpose", "yes", "Runs as a convolution.", "hollance", "catalog"),
    **_rows("linear matmul einsum", "yes", "Folded into a convolution where it fits; Apple advises a 1×1 convolution on "
            "(batch, channels, 1, length) in its place.", "transformers", "catalog"),
    **_rows("add mul sub maximum minimum", "yes", "Elementwise arithmetic.", "catalog"),
    **_rows("gelu batch_norm layer_norm", "yes", "A real compute plan has it on the Neural Engine.", "plan", "catalog"),
    **_rows("relu relu6 clip leaky_relu prelu elu sigmoid sigmoid_hard silu tanh softplus erf exp log sqrt rsqrt",
            "yes", "An activation: by a table in the hardware, so with small errors of its own.", "catalog"),
    **_rows("softmax scaled_dot_product_attention", "yes", "Part of attention on the Neural Engine.",
            "transformers", "catalog"),
    **_rows("avg_pool max_pool", "yes", "Native, up to a largest window.", "catalog"),
    **_rows("reduce_mean reduce_sum reduce_max reduce_min instance_norm l2_norm", "yes", "Native from A13 and M1 on.",
            "catalog"),
    **_rows("concat split squeeze expand_dims stack identity", "yes", "Moves data; native.", "catalog"),
    **_rows("reshape transpose", "conditions", "Taken, but each one may copy the tensor: Apple advises to avoid them.",
            "transformers", "catalog"),
    **_rows("real_div", "conditions", "General division from A13 on; before that by a constant only.", "catalog"),
    **_rows("cast", "conditions", "Between float16 and float32; to int32 it is refused on M1.", "catalog"),
    **_rows("pad", "conditions", "Constant padding; reflected padding from A14 on.", "catalog"),
    **_rows("gather gather_along_axis gather_nd", "conditions", "Observed to run elsewhere; later found in hardware from "
            "A14 and M2 on.", "hollance", "catalog"),
    **_rows("upsample_bilinear upsample_nearest_neighbor resize_bilinear resize_nearest_neighbor resize", "conditions",
            "Native from A14 and M2 on; M1 falls back to another way with other rounding.", "hollance", "catalog"),
    **_rows("crop_resize resample affine topk argsort", "conditions", "From A14 and M2 on.", "catalog"),
    **_rows("sin cos", "conditions", "From A15 and M3 on.", "catalog"),
    **_rows("slice_by_index slice_by_size", "conditions", "With offsets that are fixed at conversion.", "catalog"),
    **_rows("constexpr_affine_dequantize constexpr_blockwise_shift_scale constexpr_lut_to_dense constexpr_sparse_to_dense",
            "conditions", "Weights are expanded, when the model loads or as it runs: which of the two depends on chip and "
            "system.", "whats new", "catalog"),
    **_rows("lstm gru rnn", "no", "No recurrent layer runs there; unrolled into matmul and activations it can.",
            "hollance", "catalog"),
    **_rows("scatter scatter_nd scatter_along_axis one_hot non_zero reverse_sequence band_part sliding_windows", "no",
            "No such unit on any chip.", "catalog"),
    **_rows("reduce_prod mod logical_and logical_or logical_xor tan asin acos", "no", "No such unit on any chip.",
            "catalog"),
    **_rows("random_normal random_bernoulli random_categorical shape", "no", "Not on the Neural Engine; the CPU does it.",
            "catalog"),
    **_rows("cond while_loop", "no", "Control flow is not on the Neural Engine; unroll it before conversion.", "catalog"),
}

CONDITIONS = (
    Row("the whole model", "conditions", "Only what is typed float16 can run there; float32 runs on GPU and CPU.",
        SOURCES["typed"]),
    Row("the whole model", "conditions", "With a range of shapes only the default shape runs there; with enumerated "
        "shapes each can.", SOURCES["forum"]),
    Row("int8 weights and activations", "conditions", "Faster there on A17 Pro and M4 and later, for iOS 17 and up.",
        SOURCES["whats new"]),
)
"""What holds for a model as a whole, whatever its operators."""


def neural_engine_estimate(operators: Iterable[str]) -> list[Row]:
    """Return what is known of each distinct MIL operator, in the order of first use; label it with `LABEL`.

    operators: MIL names, as `inspect(path).operators` has them. What no source mentions is `unknown`, not a guess.
    """
    unknown = "No source used here mentions it."
    return [_TABLE.get(name, Row(name, "unknown", unknown, "none")) for name in dict.fromkeys(operators)]
