"""Statistics on arrays: pairs and families, looks, sign flips, seeds by images, variance."""
