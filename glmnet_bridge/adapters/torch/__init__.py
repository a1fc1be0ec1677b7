"""PyTorch: modules, read from their graph and written."""
