"""Sandboxes that were started before anybody needs them: see docs/adr/0018-pool.md."""
