"""Batches up, outcomes down, backoff."""
