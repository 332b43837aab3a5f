"""Tables of runs from elsewhere: read, and understood as far as their columns say."""
