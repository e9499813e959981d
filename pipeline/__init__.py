"""The stages of a competition, from its files to a checked submission."""
