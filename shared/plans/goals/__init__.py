"""The goals the `rules` engine recognises, one per module; each writes a plan document."""
