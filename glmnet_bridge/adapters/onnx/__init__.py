"""ONNX: graphs, read and written."""
