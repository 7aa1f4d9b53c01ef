"""When a stage may open or close: the same SQL for whoever looks."""

# Of a stage `t`: every table it reads is sealed, or is the open one it works off while it grows.
INPUTS_READY = """NOT EXISTS (SELECT 1 FROM jsonb_each_text(t.reads) r
  LEFT JOIN tables i ON i.id = r.value WHERE i.status IS DISTINCT FROM 'sealed'
    AND NOT (t.streams AND i.status IS NOT DISTINCT FROM 'open'))"""
# Of a stage `t` that is open: its table is not sealed, so nobody knows how many units it has. That
# holds where it ended early too: what was accepted must be in its ledger. Whatever ends a stage
# ends the stream (`streams.end`), and the collector then seals the table.
OPEN_ENDED = """(t.streams AND EXISTS (SELECT 1 FROM tables i
  WHERE i.id = t.source_table_id AND i.status = 'open'))"""
