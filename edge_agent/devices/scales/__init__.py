"""Scales: the protocols they speak (pure), and the link that asks, listens and reports."""
