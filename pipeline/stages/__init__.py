"""What the commands call: the only floor that knows the whole story."""
