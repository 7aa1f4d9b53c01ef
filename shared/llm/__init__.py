"""Models behind OpenAI-compatible endpoints; the only package that imports `openai`."""
