"""Agent and relay in touch: batches up, outcomes down, one retry policy for both.

Read :mod:`edge_agent.sync.uplink` first: it decides, without I/O, what to do next.
"""
