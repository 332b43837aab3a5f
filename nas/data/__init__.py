"""Data sets by name, one file each, and the store that holds them."""
