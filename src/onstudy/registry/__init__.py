"""The trials that exist: ClinicalTrials.gov records, how they are kept, searched, and how far their sites are."""
