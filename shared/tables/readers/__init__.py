"""How each file format becomes typed batches; all of it runs inside the killable child."""
