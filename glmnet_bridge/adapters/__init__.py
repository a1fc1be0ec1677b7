"""Stage `adapters`: models of other packages, read as networks and written from fits."""
