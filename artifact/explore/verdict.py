# SPDX-License-Identifier: MIT
"""A ratio in a word."""

import math

from artifact import answer, estimate
from artifact.estimate import Estimate
from artifact.explore.choice import arm
from artifact.samples import Samples

# What may still be called no difference; beyond it nothing is known.
SHARP = 0.05


def of(samples: Samples, variant: str, over: str) -> Estimate:
    """How many times faster a variant is than another of the cell."""
    return estimate.speedup(samples, arm(samples.cell, variant), over)


def word(ratio: Estimate) -> str:
    """As answer.word() has it; or no difference above x %, too noisy to tell; of one process,
    which has no interval, a first ratio."""
    if not math.isfinite(ratio.high):
        return "a first ratio"
    if ratio.differs_from_1:
        return answer.word(ratio)
    most = max(ratio.high - 1, 1 - ratio.low)
    return f"no difference above {most:.1%}".replace("%", " %") if most <= SHARP else \
        "too noisy to tell"


def doubt(samples: Samples) -> str:
    """Where the loop differs from itself, no other difference means anything; else empty."""
    if not estimate.contradicts_itself(samples):
        return ""
    return f"too noisy to tell: the loop over itself is {estimate.same_kernel_ratio(samples)}"


def text(ratio: Estimate) -> str:
    """The number, with its interval where there is one."""
    if not math.isfinite(ratio.high):
        return f"{ratio.value:.3f}"
    return str(ratio)
