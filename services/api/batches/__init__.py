"""Files and batches in the form of the openai package: forms, lines and errors."""
