"""The HTTP side of the relay: identity, limits, batches, downlink."""
