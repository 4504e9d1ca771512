"""A linear layer with weights of 4 bits that is faster than float32 on an x86 CPU, and a decoder that has them.

A token at a time, a linear layer takes as long as its weights take to come from memory; with an eighth of the bytes it takes a
fraction of the time. That is so with the kernel `torch.ops.aten._weight_int4pack_mm_for_cpu` and bfloat16 activations; it
takes the weights apart in registers. With many tokens at once, as in a prompt, multiplying is what takes time, and the kernel
does that once for each row: there the weights are unpacked, piece by piece, for an ordinary matrix product.
"""

from __future__ import annotations

import copy
import sys

import torch
from torch import Tensor, nn

from pocketlab.llm.grids import Grid
from pocketlab.llm.model import Decoder
from pocketlab.llm.weights import QuantizedDecoder, linear_layers

GROUP_SIZES = (32, 64, 128, 256)  # that the kernel takes
OUTPUTS_MULTIPLE = 64  # so that the kernel's packing has whole blocks, and one layout
# By the instructions that torch uses: how many outputs the kernel packs into a block, and up to how many rows it is the faster
# way. Measured on 384 to 4096 inputs: with AVX-512 the other way is faster from about 90 rows on, with AVX2 from 7.
_BLOCKS = {"AVX512": 64, "AVX2": 32}
_MOST_ROWS = {"AVX512": 90, "AVX2": 6}
_PIECE = 2**19  # weights unpacked at once: 4 MB of float32, which stay in the processor's cache


class PackedLinear(nn.Module):
    """Computes what `nn.Linear` computes with the weights of a grid of up to 4 bits, in bfloat16 and without a bias.

    The kernel's scales are bfloat16 too, and so are the offsets that stand for zero points, so that a weight can be off by
    up to 1/16 of a step more. Grids of 2 and 3 bits take as much memory here as those of 4.
    Raises ValueError where the CPU or the shape is none for the kernel; `obstacle` says why.
    """

    weight: Tensor
    scales_and_zeros: Tensor

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        problem = obstacle(grid)
        if problem:
            raise ValueError(problem)
        self.out_features, self.in_features = grid.integers.shape
        self.group_size = grid.group_size
        self._block, self._most_rows = _BLOCKS[_capability()], _MOST_ROWS[_capability()]
        self._dtype = torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16") else torch.float32
        # The kernel computes (integer − 8) · scale + zero.
        zeros = grid.scales * (8 - grid.zero_points)
        both = torch.stack([grid.scales, zeros], dim=-1).transpose(0, 1).contiguous()
        self.register_buffer("scales_and_zeros", both.bfloat16())
        self.register_buffer("weight", torch.ops.aten._convert_weight_to_int4pack_for_cpu(grid.integers.int(), 1))

    @property
    def nbytes(self) -> int:
        """The bytes of weights, scales and zeros: `packed_bytes` of its sizes."""
        return self.weight.nbytes + self.scales_and_zeros.nbytes

    def forward(self, x: Tensor) -> Tensor:
        """Return (…, outputs) of x (…, inputs), in x's type."""
        rows = x.reshape(-1, self.in_features)
        if len(rows) <= self._most_rows:
            y = torch.ops.aten._weight_int4pack_mm_for_cpu(
                rows.bfloat16(), self.weight, self.group_size, self.scales_and_zeros
            )
        else:
            y = self._multiply_pieces(rows.to(self._dtype))
        return y.to(x.dtype).view(*x.shape[:-1], self.out_features)

    def _multiply_pieces(self, rows: Tensor) -> Tensor:
        y = rows.new_empty(len(rows), self.out_features)
        step = max(_PIECE // self.in_features // self._block, 1) * self._block
        for start in range(0, self.out_features, step):
            outputs = slice(start, min(start + step, self.out_features))
            y[:, outputs] = rows @ self.unpack(outputs, rows.dtype)
        return y

    def unpack(self, outputs: slice, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the weights of some outputs, (inputs, outputs); they begin and end with a block of the packing.

        The kernel's layout: blocks of outputs; in a block, for each input a byte for each two outputs, the lower four bits for
        the first half of the block and the higher four for the second.
        """
        half, groups = self._block // 2, len(self.scales_and_zeros)
        packed = self.weight[outputs].view(-1, groups, self.group_size, half)
        weights = torch.empty(*packed.shape[:3], self._block)
        weights[..., :half], weights[..., half:] = packed & 15, packed >> 4
        both = self.scales_and_zeros[:, outputs].float().view(groups, -1, 1, self._block, 2).transpose(0, 1)
        scales = both[..., 0].contiguous()  # a stride of two would keep the next line from using the CPU's wide registers
        torch.addcmul(both[..., 1] - 8 * scales, weights, scales, out=weights)
        return weights.to(dtype).view(-1, self.in_features, self._block).transpose(0, 1).flatten(1)


def packed_bytes(outputs: int, inputs: int, group_size: int) -> int:
    """Return the bytes of a packed layer: half a byte for each weight, and two bfloat16 for each group."""
    return outputs * inputs // 2 + outputs * (inputs // group_size) * 4


def obstacle(grid: Grid) -> str | None:
    """Return why a grid cannot be packed for this CPU's kernel, as a sentence, or None where it can."""
    outputs, inputs = grid.integers.shape
    if _capability() not in _BLOCKS or sys.platform == "win32":  # there torch has plain loops, hundreds of times slower
        return "torch has a fast 4-bit kernel only for x86 CPUs with AVX2 or AVX-512, on Linux and macOS: keep the float layer."
    if grid.bits > 4:
        return f"The kernel takes integers of up to 4 bits, and this grid has {grid.bits}: quantize to 4, 3 or 2 bits."
    if grid.group_size not in GROUP_SIZES:
        return f"The kernel takes groups of 32, 64, 128 or 256 weights, not of {grid.group_size}."
    if inputs % grid.group_size:
        return f"The kernel takes whole groups only, and {grid.group_size} does not divide {inputs} inputs: try a smaller one."
    if outputs % OUTPUTS_MULTIPLE:
        return f"The kernel takes outputs in multiples of {OUTPUTS_MULTIPLE}, and {outputs} are none: keep the float layer."
    return None


def pack_model(quantized: QuantizedDecoder) -> Decoder:
    """Return a decoder with the linear layers of its blocks packed, and no copy of their float weights.

    A layer that has an `obstacle` stays as it is: float, and on its grid. So nothing gets slower than float32 where torch has
    AVX-512: 4 times faster or more for a single token, and somewhat faster for prompts of any length where the CPU also
    multiplies bfloat16. With AVX2 alone, a token is twice as fast, and a prompt of more than 6 tokens slower.
    """
    layers = linear_layers(quantized.model)
    packed = {id(layers[name]): PackedLinear(grid) for name, grid in quantized.grids.items() if obstacle(grid) is None}
    return copy.deepcopy(quantized.model, packed)  # what deepcopy has been told of, it takes instead of copying


def _capability() -> str:
    return torch.backends.cpu.get_cpu_capability()
