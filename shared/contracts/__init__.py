"""Shapes of the documents that cross a border, checked before anything reads them."""
