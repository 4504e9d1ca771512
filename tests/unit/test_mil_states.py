from __future__ import annotations

import numpy as np
import pytest
import torch
from mil_harness import ct, mb, types

from pocketlab.runtimes.mil.compiler import State
from pocketlab.runtimes.mil.interpreter import Interpreter


@pytest.fixture(scope="module")
def program():
    """Reads the state, puts twice it plus x in its place, and reads it again."""
    specs = [mb.TensorSpec((3,), types.fp32), mb.StateTensorSpec((3,), types.fp16)]

    @mb.program(input_specs=specs, opset_version=ct.target.iOS18)
    def made(x, memory):
        before = mb.read_state(input=memory)
        total = mb.add(x=mb.cast(x=x, dtype="fp16"), y=mb.mul(x=before, y=np.float16(2)))
        updated = mb.coreml_update_state(state=memory, value=total)
        return before, updated, mb.read_state(input=memory)

    return made


def test_coreml_update_state_and_read_state_see_each_other(program):
    interpreter = Interpreter(program)
    memory = State(torch.tensor([1.0, 2.0, 3.0]))
    first, *_ = results = list(interpreter.run({"x": np.float32([10, 20, 30]), "memory": memory}).values())
    np.testing.assert_array_equal(np.stack(results), [[1, 2, 3], [12, 24, 36], [12, 24, 36]])
    np.testing.assert_array_equal(memory.value, [12, 24, 36])
    before, *_ = interpreter.run({"x": np.float32([0, 0, 0]), "memory": memory}).values()
    np.testing.assert_array_equal(before, [12, 24, 36])
    np.testing.assert_array_equal(memory.value, [24, 48, 72])
    np.testing.assert_array_equal(first, [1, 2, 3])  # what was read is not changed by a later call


def test_two_states_of_one_program_do_not_mix(program):
    interpreter = Interpreter(program)
    memories = [State(torch.zeros(3)), State(torch.ones(3))]
    for memory in memories:
        interpreter.run({"x": np.float32([5, 5, 5]), "memory": memory})
    np.testing.assert_array_equal(np.stack([memory.value for memory in memories]), [[5, 5, 5], [7, 7, 7]])
