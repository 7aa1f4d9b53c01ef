"""One module per sub-command of `apwa`: read the options, call, print."""
