"""Keras 3: live models and `.keras` files, read and written."""
