"""One run in torch."""
