"""What may vary: spaces, their points numbered, drawn, counted, encoded, matched."""
