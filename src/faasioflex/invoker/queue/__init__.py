"""Asynchronous calls: stored first, run when it is their turn, again where that may help, each with one outcome."""
