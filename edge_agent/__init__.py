"""The agent on a warehouse host: stores every device event durably, then syncs it to the relay."""
