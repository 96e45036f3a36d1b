"""Traces of calls, replayed in virtual time through the autoscaler's ``decide`` and, beside it, through Knative's default policy."""
