"""SQLite as agent and relay both use it: one file, one connection, one thread, safe commits.

Depends on :mod:`edge_contract.errors` and aiosqlite only.
"""
