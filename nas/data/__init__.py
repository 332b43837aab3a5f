"""Data sets: what they are, and their images in files."""
