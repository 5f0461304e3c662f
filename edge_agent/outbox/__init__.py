"""The durable store: the only place where an acknowledgement is born."""
