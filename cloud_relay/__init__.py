"""The relay: takes batches from agents and applies every event to Odoo exactly once."""
