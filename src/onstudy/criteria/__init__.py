"""The trial's side: expression trees, criteria, trials, findings. Data with no behaviour but its own validity."""
