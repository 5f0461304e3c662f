"""Odoo: gateway, the one server action, the applier."""
