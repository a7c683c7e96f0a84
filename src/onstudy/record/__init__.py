"""The patient's side: the catalogue of kinds, dated facts, coverage, patients."""
