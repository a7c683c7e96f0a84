"""Text to trial and back: the criteria language and the trial file."""
