"""What a criterion can speak of: truth, intervals, dates, quantities, codes. Knows nothing of trials or patients."""
