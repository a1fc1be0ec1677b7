"""Tensors by name without a graph (state_dict, `.safetensors`), read beside an architecture."""
