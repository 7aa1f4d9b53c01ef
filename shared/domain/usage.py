"""What calls of models are counted in, wherever it is summed."""

MEASURES = ("calls", "input_tokens", "output_tokens", "cost_microusd", "cache_hits")
