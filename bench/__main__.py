"""Every bench, one after the other: ``python -m bench``."""

from __future__ import annotations

from bench import emailauth, expand, local, memory, receive, relay


def main() -> None:
    receive.main()
    emailauth.main()
    relay.main()
    local.main()
    memory.main()
    expand.main()


if __name__ == "__main__":
    main()
