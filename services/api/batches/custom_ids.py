"""The custom ids of lines, fetched block by block, since lines are asked for in order."""

from shared.database import tables
from shared.database.engine import Engine
from shared.tables.batch_file import custom_ids

_BLOCK = 1_000


class CustomIds:
    """Called with the number of a line (from 0); None where the file's rows are gone."""

    def __init__(self, engine: Engine, table_id: str | None) -> None:
        self._engine, self._table_id = engine, table_id
        self._block_no, self._block = -1, list[str | None]()

    def __call__(self, number: int) -> str | None:
        """Return the custom id of one line."""
        if number // _BLOCK != self._block_no:
            self._block_no = number // _BLOCK
            self._block = self._fetched(self._block_no * _BLOCK)
        place = number % _BLOCK
        return self._block[place] if place < len(self._block) else None

    def _fetched(self, first: int) -> list[str | None]:
        with self._engine.connect() as connection:
            table = tables.find(connection, self._table_id) if self._table_id else None
            return custom_ids(connection, table, first, _BLOCK) if table else []
