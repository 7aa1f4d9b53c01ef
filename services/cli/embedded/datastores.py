"""PostgreSQL and Valkey of one directory, with their passwords and remembered ports."""

import secrets
from pathlib import Path

from services.cli.embedded.ports import choose_port
from services.cli.embedded.postgres_server import PostgresServer
from services.cli.embedded.private_file import read_private, write_private
from services.cli.embedded.valkey_server import ValkeyServer


class Datastores:
    """Both servers; also used alone, by tests that need real stores.

    Start from the main thread; both end with this process, whatever happens to it.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self._file = folder / "datastores.json"
        (folder / "logs").mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o711)  # nobody may have to reach its data directory
        self._remembered = self._remember_passwords()
        log = folder / "logs"
        self.postgres = PostgresServer(
            folder / "postgres",
            log / "postgres.log",
            self._remembered["postgres_password"],
            durable=durable,
        )
        self.valkey = ValkeyServer(
            folder / "valkey", log / "valkey.log", self._remembered["valkey_password"]
        )

    @property
    def database_url(self) -> str:
        """The address of the database `apwa`."""
        return self.postgres.url()

    @property
    def redis_url(self) -> str:
        """The address of Valkey's database 0."""
        return self.valkey.url()

    def start(self) -> None:
        """Start both on their former ports, or on free ones if those are taken."""
        self.start_postgres()
        self.start_valkey()

    def start_postgres(self) -> None:
        """Start PostgreSQL; the database `apwa` exists afterwards."""
        self.postgres.wait_for_predecessor()
        self.postgres.start(self._port("postgres_port", self.postgres.port))

    def start_valkey(self) -> None:
        """Start Valkey."""
        self.valkey.start(self._port("valkey_port", self.valkey.port))

    def create_database(self) -> str:
        """Create an empty database with a random name and return its address."""
        return self.postgres.create_database()

    def stop(self) -> None:
        """Stop both, Valkey first: it holds nothing that cannot be derived again."""
        self.valkey.stop()
        self.postgres.stop()

    def _remember_passwords(self) -> dict[str, str]:
        known = read_private(self._file)
        if "postgres_password" not in known:
            known |= {
                "postgres_password": secrets.token_urlsafe(24),
                "valkey_password": secrets.token_urlsafe(24),
            }
            write_private(self._file, known)
        return known

    def _port(self, name: str, running: int) -> int:
        """Within one run a server keeps its port: its address was handed out."""
        if running:
            return running
        known = read_private(self._file)
        port = choose_port(known.get(name))
        write_private(self._file, known | {name: port})
        return port
