"""One patient, one trial: verdicts, what is missing, explanations, worksheet."""
