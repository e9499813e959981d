"""Pictures of a competition's columns and of a run's learning curves, by matplotlib.

Each picture is one function from a frame to a figure; it draws, and neither reads nor writes.
Matplotlib is imported inside functions. The same data give the same bytes.
"""
