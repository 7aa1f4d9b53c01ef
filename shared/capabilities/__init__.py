"""What a capability is, which are built in, and how installed ones are found."""
