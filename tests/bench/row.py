"""One line of a benchmark's table."""

from __future__ import annotations

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Row:
    """A figure of ours beside one of somebody else's; less is better, so a ratio above 1 says how often ours fits in."""

    name: str
    unit: str
    ours: float
    theirs: float
    whose: str
    threads: int = 1

    @property
    def ratio(self) -> float:
        return self.theirs / self.ours if self.ours else math.inf

    def as_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "ratio": self.ratio}
