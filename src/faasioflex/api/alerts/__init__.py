"""Alerts: rules over the figures of what is active, and the events that they make."""
