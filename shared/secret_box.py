"""Seals what must be read again but never in the open: secrets of webhooks, keys of endpoints."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SecretsNotConfigured(RuntimeError):
    """`APWA_SECRET_KEYS` is not set, so nothing can be sealed or opened."""


class SecretUnreadable(RuntimeError):
    """What was sealed was changed, or with a key that is no longer among the settings'."""


class SecretBox:
    """Seals with the first key, opens with any; authenticated encryption (Fernet)."""

    def __init__(self, keys: str) -> None:
        """Take the keys as the setting has them: comma-separated, the newest first."""
        given = [key.strip() for key in keys.split(",") if key.strip()]
        self._fernet = MultiFernet([_fernet(key) for key in given]) if given else None

    def seal(self, secret: str) -> str:
        """Return the text to store. Raises SecretsNotConfigured."""
        return self._keys().encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return the secret. Raises SecretsNotConfigured and SecretUnreadable."""
        try:
            return self._keys().decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise SecretUnreadable("no key of APWA_SECRET_KEYS opens this secret") from error

    def renew(self, sealed: str) -> str:
        """Return the same secret sealed with the newest key. Raises as `open` does."""
        try:
            return self._keys().rotate(sealed.encode()).decode()
        except InvalidToken as error:
            raise SecretUnreadable("no key of APWA_SECRET_KEYS opens this secret") from error

    def _keys(self) -> MultiFernet:
        if self._fernet is None:
            raise SecretsNotConfigured("APWA_SECRET_KEYS is not set")
        return self._fernet


def _fernet(key: str) -> Fernet:
    """Stretch nothing: a key is random already, and only brought to Fernet's length."""
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))
