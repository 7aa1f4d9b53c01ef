"""The planner's prompt: rendered from facts alone, bounded whatever the tables' size; pure."""
