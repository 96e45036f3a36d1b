"""Families of series for Prometheus, by what they are of. All names, kinds and meanings stand in docs/metrics.md, too."""
