"""The failure law fitted to series with a known end."""

import numpy as np
import pytest

from anlan.base.failure import NAMES, PER_WINDOW, WINDOWS, Lookback, fit_windows

P10, P50, P90, ELAPSED, SHARE, LINE, BROKEN, RAMP = (NAMES.index(n) for n in NAMES[:8])


def law(remaining, elapsed, n=200, c=5.0, creep=0.02, noise=0.02, seed=0):
    t = np.arange(1 - n, 1) * 1.0
    x = creep * t + np.where(t > -elapsed, -c * np.log((remaining - t) / (remaining + elapsed)), 0)
    return t, x - x[-1] + noise * np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize("remaining, elapsed", [(10, 60), (20, 80), (40, 100)])
def test_remaining_time_of_the_pure_law(remaining, elapsed):
    t, x = law(remaining, elapsed)
    best = fit_windows(t, x, np.ones(len(t)), 0.02, 1.0)[3]  # 192 readings
    assert best[P10] <= remaining <= best[P90] or abs(np.log(best[P50] / remaining)) < 0.25
    assert abs(best[ELAPSED] - elapsed) < 0.1 * elapsed
    assert best[BROKEN] > 50 and best[LINE] > best[BROKEN]


def test_either_direction_is_the_same():
    t, x = law(20, 80)
    w = np.ones(len(t))
    assert np.allclose(fit_windows(t, x, w, 0.02, 1.0), fit_windows(t, -x, w, 0.02, 1.0), equal_nan=True)


def test_any_unit_is_the_same():
    t, x = law(20, 80)
    w = np.ones(len(t))
    assert np.allclose(fit_windows(t, x, w, 0.02, 1.0), fit_windows(t, x * 1e-3, w, 2e-5, 1.0), equal_nan=True, rtol=1e-6)


@pytest.mark.parametrize("shape", ["line", "knee"])
def test_what_does_not_fail_is_told_from_what_does(shape):
    t = np.arange(-199.0, 1.0)
    x = 0.1 * t if shape == "line" else 0.02 * t + 0.5 * np.clip(t + 60, 0, None)
    x = x - x[-1] + 0.05 * np.random.default_rng(1).normal(size=len(t))
    fits = fit_windows(t, x, np.ones(len(t)), 0.05, 1.0)
    assert (np.nan_to_num(fits[:, BROKEN], nan=0.0) < 6).all()


def test_thinned_samples_weigh_as_many_readings():
    t, x = law(20, 80, noise=0.0)
    full = fit_windows(t, x, np.ones(len(t)), 0.02, 1.0)[3]
    old = 144
    tt = np.r_[t[:old].reshape(-1, 4).mean(1), t[old:]]
    xx = np.r_[x[:old].reshape(-1, 4).mean(1), x[old:]]
    thin = fit_windows(tt, xx, np.r_[np.full(old // 4, 4.0), np.ones(len(t) - old)], 0.02, 1.0)[3]
    assert abs(np.log(thin[P50] / full[P50])) < 0.2


def test_too_little_says_nothing():
    t, x = law(20, 80)
    assert np.isnan(fit_windows(t[-11:], x[-11:], np.ones(11), 0.02, 1.0)).all()
    lookback = Lookback(0, np.array([0, 1]), np.zeros(2), np.ones(2), 1.0, 1.0)
    assert lookback.fits().shape == (len(WINDOWS), PER_WINDOW) and np.isnan(lookback.fits()).all()
