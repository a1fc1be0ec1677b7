"""Storage: fits as files of plain values and arrays, and back; nothing in a file is ever run."""
