"""`python -m services.collector`."""

from services.collector.app import main

if __name__ == "__main__":
    main()
