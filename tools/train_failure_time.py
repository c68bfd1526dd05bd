"""Train the blend of `forecast/forecasters/failure_time.py` on cases generated from published laws, and write ``blend.npz``.

    pip install scikit-learn        # only for this script
    PYTHONPATH=src python tools/train_failure_time.py [--cases 840] [--out src/anlan/forecast/forecasters/blend.npz]

Cases are seeds 0 to N-1 of `rehearse.cases` (every third one of the hard kind); nobody's record is read. Targets
are ln(remaining) about the mean of the last three windows, at the moments when the live gate was open, between 42 and 98 % of
the phase. Quantiles are a little wider than 10-90 %, so that the interval covers 80 % on cases left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

QUANTILES = {"p10": 0.07, "p50": 0.5, "p90": 0.93}
TREES = {"max_iter": 160, "learning_rate": 0.06, "max_leaf_nodes": 10, "min_samples_leaf": 50, "l2_regularization": 3}
MOST_A_CASE = 40


def gather(first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, targets and weights of the failing cases among the seeds."""
    from anlan.forecast.forecasters import failure_time as ft
    from anlan.rehearse import hindcast
    from anlan.rehearse.cases import make
    from anlan.rehearse.slope_records import Record

    cases = [c for c in (make(s, hard=s % 3 == 0) for s in range(first, last)) if c.kind == "fail"]
    seen: list[list[tuple[float, np.ndarray]]] = [[] for _ in cases]
    blend = ft.blend

    def listen(lookback, fits, inverse):
        centre, row = ft.features(lookback, fits, inverse)
        hour = (int(lookback.time_ms[-1]) - hindcast.EPOCH_MS) / 3.6e6
        seen[lookback.slot].append((hour, np.r_[centre, row]))
        return blend(lookback, fits, inverse)

    ft.blend = listen
    try:
        hindcast.play([Record(c.name, c.time_h, c.disp_mm * 1e-3, 0) for c in cases])
    finally:
        ft.blend = blend
    return select([(c.t_fail_h, c.phase_h, c.step_h, s) for c, s in zip(cases, seen, strict=True)])


def select(cases: list) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Up to 40 moments a case, each case weighted by the root of their number."""
    rng = np.random.default_rng(0)
    x, y, w = [], [], []
    for end, phase, step, seen in cases:
        keep = [(h, row) for h, row in seen if 0.42 < 1 - (end - h) / phase < 0.985 and end - h > 0.02 * step]
        if len(keep) > MOST_A_CASE:
            keep = [keep[i] for i in np.sort(rng.choice(len(keep), MOST_A_CASE, replace=False))]
        for h, row in keep:
            x.append(row[1:])
            y.append(np.log(end - h) - row[0])
            w.append(1 / np.sqrt(len(keep)))
    return np.array(x), np.array(y), np.array(w)


def train(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> dict[str, np.ndarray]:
    """Quantile trees as arrays (see `failure_time.climb`)."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    out: dict[str, np.ndarray] = {"features": np.array(x.shape[1])}
    for name, quantile in QUANTILES.items():
        model = HistGradientBoostingRegressor(loss="quantile", quantile=quantile, random_state=1, **TREES).fit(x, y, w)
        nodes = [p[0].nodes for p in model._predictors]
        starts = np.cumsum([0, *(len(n) for n in nodes)])[:-1]
        every = np.concatenate(nodes)
        shift = np.repeat(starts, [len(n) for n in nodes])
        leaf = every["is_leaf"].astype(bool)
        out |= {
            f"{name}_feature": np.where(leaf, 0, every["feature_idx"]).astype(np.int16),
            f"{name}_threshold": np.where(leaf, 0, every["num_threshold"]).astype(np.float64),
            f"{name}_left": np.where(leaf, -1, every["left"] + shift).astype(np.int32),
            f"{name}_right": np.where(leaf, -1, every["right"] + shift).astype(np.int32),
            f"{name}_value": np.where(leaf, every["value"], 0).astype(np.float64),
            f"{name}_root": starts.astype(np.int32),
            f"{name}_base": np.array(float(np.ravel(model._baseline_prediction)[0])),
        }
        check(out, name, x[:50], model.predict(x[:50]))
    return out


def check(trees: dict[str, np.ndarray], name: str, x: np.ndarray, wanted: np.ndarray) -> None:
    """The exported trees must say what the library says."""
    from anlan.forecast.forecasters.failure_time import climb

    got = np.array([climb(trees, name, row) for row in x])
    if not np.allclose(got, wanted, atol=1e-9):
        raise SystemExit(f"export of {name} differs by {np.abs(got - wanted).max()}")


def main() -> None:
    """Gather, train, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=840)
    parser.add_argument("--out", type=Path, default=Path("src/anlan/forecast/forecasters/blend.npz"))
    args = parser.parse_args()
    parts = [gather(k, min(k + 60, args.cases)) for k in range(0, args.cases, 60)]
    x, y, w = (np.concatenate(column) for column in zip(*parts, strict=True))
    np.savez_compressed(args.out, **train(x, y, w))
    print(f"{args.out}: {len(y)} moments, {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
