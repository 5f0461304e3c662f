"""The relay's HTTP side: who is asking, how much, and whether it makes sense.

A request passes :mod:`~cloud_relay.intake.identity`, :mod:`~cloud_relay.intake.limits`,
:mod:`~cloud_relay.intake.body` and :mod:`~cloud_relay.intake.parsing` before anything of it is
stored; whatever stops it there is answered with a problem document and leaves nothing behind.
"""
