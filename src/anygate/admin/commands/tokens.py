"""`anygate token ...`."""

from anygate.admin import tokens
from anygate.admin.errors import InvalidInput
from anygate.admin.shell import Shell, flag, read_names, read_usd
from anygate.canonical.money import usd_text
from anygate.settings.declared import read_token_limits
from anygate.settings.problems import Problem
from anygate.settings.reader import Given, Table


def create_token(shell: Shell) -> None:
    """`token create USER NAME`: the key alone on standard output, this once."""
    given = shell.arguments
    problems: list[Problem] = []
    typed = {name: getattr(given, name) for name in ("rpm", "tpm", "concurrency", "usd_per_day")}
    limited = {name: Given(text, flag(name)) for name, text in typed.items() if text is not None}
    document = {"expires": given.expires, "allow_ips": list(read_names(given.allow_ips)), "limits": limited}
    reader = Table(document, "token", problems)
    expires_ms, allow_ips, limits = reader.moment_ms("expires"), reader.networks("allow_ips"), read_token_limits(reader)
    if problems:
        raise InvalidInput(problems)
    with shell.storage() as storage:
        created = tokens.create_token(
            storage.database,
            given.user,
            given.name,
            quota=None if given.quota_usd is None else read_usd(given.quota_usd),
            models=read_names(given.models),
            group=given.group,
            expires_ms=expires_ms,
            allow_ips=allow_ips,
            limits=limits,
        )
    if given.json:
        shell.json({**tokens.token_row(created.token), "key": created.key.reveal()})
        return
    shell.note(f'This is the key of token "{given.name}" of "{given.user}". It is shown this once:')
    shell.say(created.key.reveal())


def list_tokens(shell: Shell) -> None:
    """`token list`."""
    with shell.storage() as storage:
        rows = [tokens.token_row(token) for token in tokens.list_tokens(storage.database, user=shell.arguments.user)]
    for row in rows if not shell.arguments.json else ():
        row["quota_usd"] = None if row["quota_nanos"] is None else usd_text(row["quota_nanos"])
    columns = ("id", "user", "name", "key_hint", "group", "models", "quota_usd", "expires", "enabled", "source")
    shell.listing(rows, columns, "There is no token yet: anygate token create USER NAME")


def change_quota(shell: Shell) -> None:
    """`token quota NAME USD`."""
    quota = None if shell.arguments.usd == "none" else read_usd(shell.arguments.usd)
    with shell.storage() as storage:
        token = tokens.change_quota(storage.database, shell.arguments.name, quota)
    left = "no quota of its own" if token.quota is None else f"{usd_text(token.quota)} USD left to spend"
    shell.say(f'token "{token.name}" of "{token.user}" has {left}')


def delete_token(shell: Shell) -> None:
    """`token delete NAME`."""
    with shell.storage() as storage:
        tokens.delete_token(storage.database, shell.arguments.name)
    shell.say(f'token "{shell.arguments.name}" is gone: its key is refused')


def disable_token(shell: Shell) -> None:
    """`token disable NAME`."""
    with shell.storage() as storage:
        tokens.switch_token(storage.database, shell.arguments.name, disabled=True)
    shell.say(f'token "{shell.arguments.name}" is switched off')


def enable_token(shell: Shell) -> None:
    """`token enable NAME`."""
    with shell.storage() as storage:
        tokens.switch_token(storage.database, shell.arguments.name, disabled=False)
    shell.say(f'token "{shell.arguments.name}" is switched on')
