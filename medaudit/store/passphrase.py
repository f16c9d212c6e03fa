"""A reader's passphrase, kept as a scrypt hash (RFC 7914)."""

import hashlib
import hmac
import secrets

from medaudit.errors import UsageError

SHORTEST = 8
"""Characters of the shortest passphrase (NIST SP 800-63B, 5.1.1.1)."""

# 32 MiB and about 0.1 s a guess (OWASP's Password Storage Cheat Sheet gives N = 2**15, r = 8, p = 3).
_COST, _BLOCK, _PARALLEL = 2**15, 8, 3
_MEMORY = 2**26


def hashed(passphrase: str) -> str:
    """``scrypt$N$r$p$salt$key`` in hexadecimal.

    Raises
    ------
    UsageError
        It is shorter than :data:`SHORTEST`.

    """
    if len(passphrase) < SHORTEST:
        msg = f"passphrase: expected {SHORTEST} characters or more; got {len(passphrase)}"
        raise UsageError(msg)
    salt = secrets.token_bytes(16)
    key = _derive(passphrase, salt, _COST, _BLOCK, _PARALLEL)
    return f"scrypt${_COST}${_BLOCK}${_PARALLEL}${salt.hex()}${key.hex()}"


def is_passphrase(passphrase: str, stored: str) -> bool:
    """Whether a passphrase is the one whose hash is stored."""
    _, cost, block, parallel, salt, key = stored.split("$")
    derived = _derive(passphrase, bytes.fromhex(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(derived, bytes.fromhex(key))


def _derive(passphrase: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(passphrase.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=_MEMORY, dklen=32)
