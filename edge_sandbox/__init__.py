"""All it takes to try the product without a warehouse: Odoo, broker, devices, a shift."""
