"""The linter's checks, one group per module; each yields findings and changes nothing."""
