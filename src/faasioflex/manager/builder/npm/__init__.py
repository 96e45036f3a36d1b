"""Node packages, by npm."""
