"""Pure rules and records of APWA; standard library only."""
