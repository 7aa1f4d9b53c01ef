"""Plans as pure code: lint, render, price and rules over table metadata and samples."""
