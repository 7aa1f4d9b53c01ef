"""The notifier: sends webhooks that are due, any number of it at once."""
