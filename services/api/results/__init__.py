"""Reading a stage's rows: while it runs in the order shards were noted, after it in unit order."""
