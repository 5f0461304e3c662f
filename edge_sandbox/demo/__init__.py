"""One warehouse shift against a real Odoo, with faults, compared with what physically happened."""
