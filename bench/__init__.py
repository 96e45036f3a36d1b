"""``make bench``: how fast the platform is, as ratios to what it is made of. Results go to bench/results and docs/performance.md."""
