"""Sealing what is stored: what earlier versions left in the clear, and everything again when the key is changed.

Both may be ended at any moment and begun again: a row is either as it was or as it is to be.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from engine.definition import author_secrets, credentials
from engine.definition.error import DefinitionError
from engine.forms.links import FormLinks
from engine.running.sealing import SealBroken, Sealer
from store import sealed, sql

logger = logging.getLogger(__name__)

Told = Callable[[str, int, int], None]  # what, how many rows are done, of how many
Change = Callable[[list[str]], list[str]]

SETTINGS = "keys in settings"
_TELL_EVERY = 200


def seal_stored(sealer: Sealer, told: Told) -> int:
    """Seal the keys in the settings of stored apps, and blank them in what is exported, once for each database.

    Returns how many versions had any.
    """
    after = sealed.place(SETTINGS)
    if after is None:
        return 0
    of, found = sealed.count(sealed.VERSIONS), 0
    for done, (key, before) in enumerate(sealed.rows(sealed.VERSIONS, after), 1):
        now = _sealed_version(before, sealer)
        if now != before and sealed.replace(sealed.VERSIONS, key, before, now):
            found += 1
        if done % sealed.AT_ONCE == 0:
            sealed.reach(SETTINGS, key)
        if done % _TELL_EVERY == 0:
            told(SETTINGS, done, of)
    if found:
        sealed.empty_journal()
        logger.warning("Keys in the settings of %s stored versions of apps were in the clear: replace them", found)
    sealed.reach(SETTINGS, "", finished=True)
    return found


def rotate(sealer: Sealer, links: FormLinks, told: Told) -> dict[str, tuple[int, int]]:
    """Seal all that is stored with the sealer's own key, which opened it with that or an old one.

    Returns for each table how many rows are sealed with the key now, and how many no key here opens.
    """
    counts = {}
    for name, (table, change) in _changes(sealer, links).items():
        of, sound, lost = sealed.count(table), 0, 0
        for done, (key, before) in enumerate(sealed.rows(table), 1):
            try:
                now = change(before)
            except SealBroken:
                lost += 1
                continue
            # A row that somebody has written meanwhile was sealed by a server, with the key that it has.
            if now == before or sealed.replace(table, key, before, now):
                sound += 1
            if done % _TELL_EVERY == 0:
                told(name, done, of)
        told(name, of, of)
        counts[name] = (sound, lost)
    sealed.empty_journal()
    return counts


def under_old_keys(sealer: Sealer, links: FormLinks) -> dict[str, int]:
    """Return for each table how many rows are not sealed with the sealer's own key."""
    counts = {}
    for name, (table, change) in _changes(sealer, links).items():
        counts[name] = sum(1 for _, row in sealed.rows(table) if _is_old(row, change))
    return counts


def _is_old(row: list[str], change: Change) -> bool:
    try:
        return change(row) != row
    except SealBroken:
        return True


def _changes(sealer: Sealer, links: FormLinks) -> dict[str, tuple[sealed.Table, Change]]:
    def version(row: list[str]) -> list[str]:
        document = json.loads(row[0])
        renewed = author_secrets.resealed(document, sealer)
        return row if renewed == document else [sql.to_json(renewed), row[1]]

    def variables(row: list[str]) -> list[str]:
        values = json.loads(row[0])
        renewed = author_secrets.kept_again(values, sealer)
        return row if renewed == values else [sql.to_json(renewed)]

    def renew(row: list[str]) -> list[str]:
        return [sealer.renew(row[0])]

    return {
        "apps": (sealed.VERSIONS, version),
        "tools": (sealed.TOOLS, renew),
        "runs that can go on": (sealed.CHECKPOINTS, renew),
        "conversations": (sealed.CONVERSATIONS, variables),
        "forms that wait": (sealed.FORMS, lambda row: [links.token_hash(row[1]), row[1]]),
        "mails that wait": (sealed.MAILS, lambda row: [links.address_hash(row[1], row[2]), *row[1:]]),
    }


def _sealed_version(row: list[str], sealer: Sealer) -> list[str]:
    document, source = json.loads(row[0]), row[1]
    if "sealed" in document:
        return row
    try:
        blank = author_secrets.blanked(source) if source else source
    except DefinitionError:
        # It was read by an earlier version, and cannot be any more: nothing of it is exported.
        blank = source = ""
    if blank == source and not credentials.found(document):
        return row
    return [sql.to_json(author_secrets.sealed(document, sealer, source)), blank]
