"""Records in, rows out."""
