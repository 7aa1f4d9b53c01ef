"""Seals every stored secret anew with the newest key, so that an old one can be taken away."""

from collections import Counter

from shared.database import sealed
from shared.database.engine import Connection
from shared.secret_box import SecretBox


def renew_secrets(tx: Connection, keys: str) -> Counter[str]:
    """Return how many secrets of each table were renewed; all of them or none.

    `keys` as the setting has them. Raises SecretsNotConfigured, and SecretUnreadable when one was
    sealed with a key that is not among them.
    """
    return Counter(table for table, _ in sealed.renew(tx, SecretBox(keys).renew))
