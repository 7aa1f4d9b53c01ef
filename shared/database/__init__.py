"""The only SQLAlchemy: one module per aggregate, one named function per transition.

Functions take an open `Connection`; the caller owns the transaction. Lock order is
job -> stage -> shard. A transition returns the new record, or None when the row had moved on.
"""
