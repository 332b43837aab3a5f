"""What is asked: one file, one `study`."""
