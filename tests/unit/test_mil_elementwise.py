from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mil_harness import check


@settings(max_examples=10, deadline=None)
@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=5, max_side=4), elements=st.floats(-10, 10, width=32)))
def test_abs(x):
    check("abs", {"x": x})
    check("add", {"x": x}, y=np.float32(2))
