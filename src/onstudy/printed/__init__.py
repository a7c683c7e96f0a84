"""Pages that are one file: what the worksheet of a patient and the report of a prescreening have in common."""
