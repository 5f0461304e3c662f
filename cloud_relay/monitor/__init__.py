"""What people and machines may ask: sites, lag, the ladder of one event."""
