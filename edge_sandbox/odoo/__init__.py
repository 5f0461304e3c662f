"""A real Odoo in one command: fetched, verified, unpacked, and cloned for whoever needs one.

.. code-block:: python

    with Sandbox() as sandbox, sandbox.start() as server:
        odoo = server.clone()                       # a database of one's own in a second
        odoo.call("stock.picking", "search_count", domain=[])
"""

from edge_sandbox.odoo.database import OdooDatabase, OdooFault
from edge_sandbox.odoo.sandbox import Sandbox, SandboxOptions
from edge_sandbox.odoo.server import OdooServer

__all__ = ["OdooDatabase", "OdooFault", "OdooServer", "Sandbox", "SandboxOptions"]
