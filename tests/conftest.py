"""Fixtures every test may ask for; none of them costs anything until it is asked for."""

pytest_plugins = ["edge_sandbox.odoo.pytest_plugin"]
