"""Fixtures every test may ask for; none of them costs anything until it is asked for."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["edge_sandbox.odoo.pytest_plugin"]

#: ``--hypothesis-profile=long``: for what is left to run over night.
settings.register_profile(
    "long",
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
