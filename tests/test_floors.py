"""A room imports only rooms of a lower floor (mta/README.md)."""

import ast
from pathlib import Path

FLOORS = [
    {"text", "wire", "errors", "registry"},
    {"mail"},
    {"smtp", "settings", "net", "system", "hints"},
    {"scope"},
    {"lookup", "spool", "log", "tls", "emailauth", "scan"},
    {"match"},
    {"expand"},
    {"sasl", "transport", "filter"},
    {"route"},
    {"acl"},
    {"config"},
    {"receive", "deliver"},
    {"daemon", "admin"},
    {"cli", "ctl"},
    {"__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
GROUND = {"errors", "registry"}
ROOT = Path(__file__).parent.parent / "mta"


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "mta":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names if alias.name in FLOOR}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("mta.")}
    return found


def test_rooms_import_downwards_only() -> None:
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT)
        room = relative.parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for other in imports(path):
            allowed = other in GROUND or FLOOR[other] < FLOOR[room] or other == room
            if not allowed:
                wrong.append(f"{relative}: imports {other} (floor {FLOOR[other]}) from floor {FLOOR[room]}")
    assert not wrong, "\n".join(wrong)


def test_every_room_has_a_floor() -> None:
    rooms = {p.name for p in ROOT.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert rooms <= set(FLOOR)
