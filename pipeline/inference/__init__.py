"""A declaration from the files alone: what competition.toml would say, and why.

Everything found is a guess with its evidence. What contradicts itself or cannot be told is an error
that names the option which decides it.
"""
