"""The shapes of requests and answers: one schema checks, documents and is tested."""
