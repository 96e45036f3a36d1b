"""Prometheus' text format, to the letter."""

from __future__ import annotations

import math

from faasioflex.api.exposition import Family, exposition, histogram, number


def test_a_family_is_help_type_and_samples() -> None:
    family = Family("ffx_a_total", "counter", "What it is", [("", {"x": "y"}, 3), ("", {}, 0.25)])
    assert exposition([family]) == (
        '# HELP ffx_a_total What it is\n# TYPE ffx_a_total counter\nffx_a_total{x="y"} 3\nffx_a_total 0.25\n'
    )


def test_label_values_and_help_are_escaped() -> None:
    text = exposition([Family("f", "gauge", "a\\b\nc", [("", {"l": 'a\\b"c\nd'}, 1)])])
    assert text == '# HELP f a\\\\b\\nc\n# TYPE f gauge\nf{l="a\\\\b\\"c\\nd"} 1\n'


def test_numbers_are_not_rounded() -> None:
    assert number(12345678901) == "12345678901"
    assert number(1234567.0) == "1234567"
    assert float(number(0.1234567891)) == 0.1234567891
    assert (number(math.inf), number(-math.inf)) == ("+Inf", "-Inf")


def test_a_histogram_ends_in_infinity_sum_and_count() -> None:
    samples = histogram({"f": "x"}, [(0.005, 1), (1, 3)], 4, 7.5)
    text = exposition([Family("d_seconds", "histogram", "h", samples)])
    assert text.splitlines()[2:] == [
        'd_seconds_bucket{f="x",le="0.005"} 1',
        'd_seconds_bucket{f="x",le="1"} 3',
        'd_seconds_bucket{f="x",le="+Inf"} 4',
        'd_seconds_sum{f="x"} 7.5',
        'd_seconds_count{f="x"} 4',
    ]
