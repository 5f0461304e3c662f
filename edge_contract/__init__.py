"""What agent and relay agree on: events, batches, outcomes, units.

This package does no I/O and depends on pydantic and the standard library only.
Read :mod:`edge_contract.kinds` first: the kinds of event are the product.
"""
