"""``-brt``: which retry rule an address or domain would use, with an error name if one is given."""

from __future__ import annotations

from mta.cli.call import Call
from mta.config.retrying import pattern_matcher, sender_matches
from mta.hints.rules import RetryRule, error_matches, parse_error, rule_text
from mta.scope.scope import Scope
from mta.system.users import find_user
from mta.text.ascii import lower


def run(call: Call) -> int:
    """Up to three arguments: address or domain, a second domain, an error name (manual chapter 5)."""
    words = call.arguments.words
    if not words or len(words) > 3:
        call.write("-brt needs a domain or address argument\n")
        return 1
    keys = [words[0]]
    error_name = ""
    if len(words) > 1 and "." in words[1]:
        keys.append(words[1])
        error_name = words[2] if len(words) > 2 else ""
    elif len(words) > 1:
        error_name = words[1]
    if "@" not in keys[0] and "." not in keys[0]:
        call.write(
            f"Warning: \"{keys[0]}\" contains no '@' and no '.' characters. It is being \n"
            "treated as a one-component domain, not as a local part.\n\n"
        )
    wanted = parse_error(error_name) if error_name else None
    scope = call.runtime().scope()
    if call.arguments.sender is None:
        account = find_user(str(call.uid))
        scope.message.sender = f"{account.name if account else call.uid}@{call.config().main.qualify_domain}"
    else:
        scope.message.sender = call.arguments.sender
    found = find(call.config().retry_rules, keys, wanted, scope)
    call.write(f"Retry rule: {rule_text(found)}\n" if found else "No retry information found\n")
    return 0


def find(
    rules: list[RetryRule], keys: list[str], wanted: tuple[str, str, float | None] | None, scope: Scope
) -> RetryRule | None:
    """The first rule whose pattern matches; without an error name, only rules for any error count."""
    for rule in rules:
        if not sender_matches(rule, scope, scope.message.sender):
            continue
        if not any(pattern_matcher(rule, scope)(lower(key)) for key in keys):
            continue
        if rule.error == "":
            return rule
        if wanted is not None:
            error, detail, age = wanted
            if error_matches(rule, error, detail if age is None else str(int(age))):
                return rule
    return None
