"""Fixtures every test may ask for; none of them costs anything until it is asked for."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["edge_sandbox.odoo.pytest_plugin"]

#: A busy machine is no reason to fail: what must not take long is measured where it is asked.
settings.register_profile("undated", deadline=None)
settings.load_profile("undated")
#: ``--hypothesis-profile=long``: for what is left to run over night.
settings.register_profile(
    "long",
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
