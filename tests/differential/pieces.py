# SPDX-License-Identifier: BSD-2-Clause
"""Rules made of values that buffers really have: pieces at places, several buffers of one transaction, negated, bsize, pcre."""
from generate import quoted

DIGESTS = ('ja3.hash', 'ja3s.hash', 'ja4.hash', 'tls.cert_fingerprint', 'tls.cert_serial', 'tls.random', 'ssh.hassh')  # asked for as a whole


def option(rng, value):
    """Options for one buffer with that value, and whether they hold for it."""
    size = rng.randint(1, min(len(value), 12)) if value else 0
    at = rng.randint(0, len(value) - size)
    piece = value[at:at + size]
    if not value or rng.random() < 0.15:
        n = max(0, len(value) + rng.choice((0, 0, 0, 1, -1)))
        return f'bsize:{rng.choice(("", "", ">", "<"))}{n};'
    if rng.random() < 0.15:
        body = ''.join(rf'\x{b:02x}' for b in piece)
        return f'pcre:"/{rng.choice(("{}", "^{}", "{}$", "[^a]{}", "{}.")).format(body)}/{rng.choice(("", "s", "i", "m"))}";'
    text = f'content:{"!" * (rng.random() < 0.12)}"{quoted(piece)}";'
    kind = rng.randrange(8)
    if kind == 0:
        text += f' offset:{max(0, at + rng.choice((0, 0, 1, -1)))};'
    elif kind == 1:
        text += f' depth:{max(size, at + size + rng.choice((0, 0, -1, 2)))};'
    elif kind == 2:
        text += ' startswith;'
    elif kind == 3:
        text += ' endswith;'
    elif kind == 4:
        text += f' bsize:{max(size, len(value) + rng.choice((0, 0, 0, 1)))};'
    elif kind == 5 and at + size < len(value):
        more = value[at + size:at + size + rng.randint(1, 6)]
        skip = rng.randint(0, 3)
        rest = value[at + size + skip:at + size + skip + len(more)]
        if rest:
            text += f' content:"{quoted(rest)}"; distance:{max(0, skip + rng.choice((0, 0, -1, 1)))};'
            if rng.random() < 0.5:
                text += f' within:{len(rest) + 3};'
    return text


def rules(rng, values, buffers, n, sid):
    """n rules; values: {(buffer, direction): set of values}."""
    rows = [(b, d, sorted(v)) for (b, d), v in sorted(values.items()) if v and not b.startswith(DIGESTS)]
    made = []
    for _ in range(n if rows else 0):
        buffer, d, of_it = rng.choice(rows)
        proto = buffers[buffer][0]
        parts = [(buffer, rng.choice(of_it))]
        others = [r for r in rows if r[1] == d and r[0] != buffer and buffers[r[0]][0] == proto]
        while others and len(parts) < 4 and rng.random() < 0.5:
            b, _, v = others.pop(rng.randrange(len(others)))
            parts.append((b, rng.choice(v)))
        seen, text = set(), ''
        for b, v in parts:
            name = b.split(':')[0]
            if name not in seen:
                seen.add(name)
                text += f'{name}; {option(rng, v)} '
        made.append(f'alert {proto} any any -> any any (msg:"m"; flow:{d}; {text}sid:{sid + len(made)};)')
    return made
