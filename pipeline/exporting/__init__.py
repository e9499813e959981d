"""A finished run as a script and a notebook of its own, which need nothing of this package."""
