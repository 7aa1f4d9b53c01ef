"""Claims shards, runs their subtasks concurrently, settles outcomes as they come."""
