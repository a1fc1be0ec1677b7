"""What every writer needs: a fit as operations on raw columns, and the record by which it is read back."""
