"""What these tests share."""

from tests.packages.install import own_package

__all__ = ["own_package"]
