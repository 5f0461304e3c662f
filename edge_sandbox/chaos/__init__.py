"""A campaign of ``kill -9``: agent and relay die at every await and every named place of the path.

``python -m edge_sandbox.chaos --help``. Parts: :mod:`~edge_sandbox.chaos.control` arms a death,
:mod:`~edge_sandbox.chaos.nursery` starts programs that can die of it,
:mod:`~edge_sandbox.chaos.site` is the site they run at, :mod:`~edge_sandbox.chaos.shift` what its
handheld does, :mod:`~edge_sandbox.chaos.books` counts effects, and
:mod:`~edge_sandbox.chaos.campaign` walks over the points and judges each run.
"""
