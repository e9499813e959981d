"""Features that are learned from a fold's training rows, and added before its other steps."""
