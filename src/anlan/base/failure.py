"""The look-back window that detect hands to forecast: one series, oldest first, ready to fit.

Shared because the two rooms do not import one another. Values are SI, times UTC ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class Lookback:
    """Samples of one series up to now (never later), thinned with age: each is the mean of `weight` readings.

    ``slot`` row of the series table; ``time_ms`` int64, ``value`` float64 (SI, rebased), ``weight`` float64;
    ``noise`` standard deviation of one reading (SI); ``interval_ms`` the series' rhythm; ``facts`` what the gate
    that opened it knows (e.g. ``velocity_m_per_h``, ``steady_m_per_h``).
    """

    slot: int
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    weight: NDArray[np.float64]
    noise: float
    interval_ms: float
    facts: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time_ms)
