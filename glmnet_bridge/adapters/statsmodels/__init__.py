"""statsmodels: results, read and written."""
