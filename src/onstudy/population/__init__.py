"""Many patients: the fact store, what fills it, and what asks trials of it. Heavy libraries are imported only here."""
