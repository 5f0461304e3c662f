"""Simulated devices that behave as the contract asks: for the demo, tests and training."""
