"""Training rows that memory does not hold: a pass over pieces of Parquet at a time."""
