"""How often a password may be guessed, without letting a stranger lock its owner out.

A browser that somebody has signed in with before (`web.known_device`) is counted by itself, and by nothing that
strangers can use up. Any other is counted by its address, by its network, and by the e-mail address it tries, the
narrowest first; what one of them refuses is not charged to the wider ones (`store.attempts`).

How many guesses: one e-mail address takes 100 an hour from browsers that are not known (up to 200 in the worst hour,
where two windows meet) and 30 of the reserve: at most 1.2 million a year from all the world, about 2^20. A password
that was drawn from 2^40 is found with a chance of 2^-20 a year.

Who is locked out: one network (a /24, or a /48 of IPv6) has 20 of the 100, so fewer than five of them lock nobody out
who is elsewhere. More of them can use the hundred up; then the owner signs in with a known browser as ever, and with
another one by the reserve, which lets one attempt through every two minutes. For that, too, an attacker pays from his
20 an hour for each network, whether it is let through or not: n networks ask 20 n - 100 times for 30 places, and the
owner once for each of hers. With 50 networks she gets in with one of 30 tries; she is never locked out for good.

A right password never clears a counter: who owns one valid password could otherwise buy new attempts with it.
"""

from __future__ import annotations

from store import networks
from store.accounts import email_key
from store.attempts import Attempts, Spent
from store.windows import Bucket

KNOWN_DEVICE = Bucket("password-known-device", 10, 15 * 60)
KNOWN_EMAIL = Bucket("password-known-email", 40, 15 * 60)  # else many cookies of one account buy many slow hashes
EMAIL_AND_ADDRESS = Bucket("password-email-and-address", 10, 15 * 60)
ADDRESS = Bucket("password-address", 40, 15 * 60)
EMAIL_AND_NETWORK = Bucket("password-email-and-network", 20, 60 * 60)
EMAIL = Bucket("password-email", 100, 60 * 60)
RESERVE = Bucket("password-email-reserve", 1, 2 * 60)
BAD_FORM = Bucket("form-token-address", 60, 5 * 60)  # look-ups of form tokens that are none


def count_password(attempts: Attempts, email: str, address: str, device: str | None) -> None:
    """Count one attempt to sign in, before the password is looked at: guesses sent at once must not all pass.

    In: the e-mail address as typed, the address it comes from, the known browser's id or None. Raises
    ``too_many_requests`` with ``Retry-After``; ``service_unavailable`` when shared counts cannot be reached.
    """
    who = email_key(email)
    if device is not None:
        attempts.count([(KNOWN_DEVICE, device), (KNOWN_EMAIL, who)])
        return
    near, around = networks.bucket(address), networks.network(address)
    charges = [
        (EMAIL_AND_ADDRESS, f"{who} {near}"),
        (ADDRESS, near),
        (EMAIL_AND_NETWORK, f"{who} {around}"),
        (EMAIL, who),
    ]
    try:
        attempts.count(charges)
    except Spent as spent:
        if spent.bucket is not EMAIL:
            raise
        attempts.count([(RESERVE, who)])
