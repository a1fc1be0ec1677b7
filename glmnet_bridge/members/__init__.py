"""What a `Fit` can be asked, one class for each kind of question; every method is one call of an earlier stage."""
