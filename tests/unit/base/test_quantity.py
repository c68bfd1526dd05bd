"""The table of quantities: numbers and names are unique, fit the bit masks, and every unit scales to itself."""

from __future__ import annotations

from anlan.base.quantity import BY_NAME, BY_NUMBER, QUANTITIES, to_si


def test_numbers_and_names_are_unique_and_fit_a_mask_of_64_bits():
    assert len(BY_NAME) == len(BY_NUMBER) == len(QUANTITIES)
    assert all(0 < q.number < 63 for q in QUANTITIES)  # collect.directory keeps a station's quantities as bits


def test_every_si_unit_is_known_and_is_itself():
    for q in QUANTITIES:
        assert to_si(1.5, q.unit, q) == 1.5, q.name
        assert q.low < q.high
