"""What arrived and what became of it: dedupe, lanes, storage."""
