"""How rows leave the system as files, streamed in constant memory."""
