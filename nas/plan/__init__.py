"""What a study asks and what comes next: pure values."""
