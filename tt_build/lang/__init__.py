"""The compute language: parse, infer shapes and dtypes."""
