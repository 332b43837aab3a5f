"""Samplers: what a search tries next, one a file."""
