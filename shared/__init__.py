"""What two or more services need; imports point upward only (see ARCHITECTURE.md)."""
