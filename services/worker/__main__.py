"""`python -m services.worker`."""

from services.worker.app import main

if __name__ == "__main__":
    main()
