"""Odoo: gateway, the one server action and its installation, the applier."""
