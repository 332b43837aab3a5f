"""One driver: asks, admits, carries and records, on Ray or in this process."""
