"""Python packages, by uv."""
