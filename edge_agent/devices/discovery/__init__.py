"""Discovery: what is plugged in and what the network announces. It suggests, and never decides."""
