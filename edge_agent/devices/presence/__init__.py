"""Who is there: states, last seen, boots, clocks, and numbers that never came."""
