"""Every bench, one after the other: ``python -m bench``."""

from __future__ import annotations

from bench import memory, receive, relay


def main() -> None:
    receive.main()
    relay.main()
    memory.main()


if __name__ == "__main__":
    main()
