"""What may vary: pure values, one file a family."""
