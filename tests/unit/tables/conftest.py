"""What the tests of readers share."""

from pathlib import Path

import pytest

from tests.unit.tables.reader_kit import Kit


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path)
