"""glum: fitted regressors, read."""
