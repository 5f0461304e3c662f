"""Printers: what they answer and push (pure), their state over time, and the links."""
