# SPDX-License-Identifier: BSD-2-Clause
"""Random rules made from bytes that really occur in a capture: near enough to match often, and to miss by one.

A rule follows one packet: contents are taken from its payload in order, with positions that are right, off by one, or
absent; numbers are read where the rule will read them. One seed gives the same rules again.
"""

from capture import PROTO, flags as tcp_flags


def quoted(data):
    """Content text: printable bytes as they are, others as hexadecimal."""
    out, in_hex = [], False
    for b in data:
        plain = 0x20 <= b < 0x7f and chr(b) not in '"\\;:|'
        if plain == in_hex:
            out.append('|')
            in_hex = not in_hex
        out.append(chr(b) if plain else f'{b:02x} ')
    return ''.join(out + ['|'] * in_hex).replace(' |', '|')


class Generator:
    def __init__(self, rng, packets):
        self.rng = rng
        self.packets = packets
        self.with_payload = [p for p in packets if p.payload]

    def chance(self, percent):
        return self.rng.randrange(100) < percent

    def near(self, n, least=0):
        """A number, or a neighbour of it."""
        return max(least, n + self.rng.choice((0, 0, 0, 0, 1, -1, 5, -5)))

    def rule(self, sid):
        rng = self.rng
        p = rng.choice(self.with_payload if self.with_payload and not self.chance(25) else self.packets)
        proto = PROTO[p.proto]
        if proto != 'tcp' and self.chance(10):
            proto = 'ip'
        options = self.flow(p, proto)
        if p.payload and self.chance(85):
            if proto == 'ip' and not options:  # see flow()
                options = ['flow:no_stream;']
            options += self.payload(p.payload)
        if not options or self.chance(30):
            for _ in range(rng.randint(1, 2)):
                more = rng.choice((self.ip, self.size, self.transport))(p)
                options += [o for o in more if not any(o.split(':')[0] == x.split(':')[0] for x in options)]
        if proto != 'ip':  # Suricata wants ip_proto in ip rules only
            options = [o for o in options if not o.startswith('ip_proto')]
        if proto == 'tcp' and not any(o.startswith('flow:') for o in options):
            options.insert(0, 'flow:no_stream;')
        options += [f'sid:{sid};', 'rev:1;']
        return f'alert {proto} {self.header(p, proto)} (msg:"d"; {" ".join(options)})'

    def header(self, p, proto):
        rng = self.rng

        def address(a):
            wide = f'{a}/{24 if p.version == 4 else 64}'
            return rng.choice(('any',) * 8 + (f'{a}', f'!{a}', wide, f'[{wide},!{a}]', '$HOME_NET', '$EXTERNAL_NET'))

        def port(n):
            if proto not in ('tcp', 'udp'):
                return 'any'
            return rng.choice(('any',) * 8 + (f'{n}', f'!{n}', f'[{n},1:20]', f'{n}:', f':{n}', f'[1:65535,!{n}]'))

        way = '<>' if self.chance(6) else '->'
        ends = [f'{address(p.src)} {port(p.sport)}', f'{address(p.dst)} {port(p.dport)}']
        return f' {way} '.join(ends[::-1] if self.chance(4) else ends)

    def flow(self, p, proto):
        """A rule about TCP, which an ip rule is, too, wants no_stream: one that reads payload without it makes Suricata call
        empty packets with stream data at hand non-empty, for every rule beside it."""
        if not self.chance(25):
            return []
        words = [self.rng.choice(('established', 'not_established', 'stateless'))] * self.chance(60)
        words += [self.rng.choice(('to_server', 'to_client'))] * (not words or self.chance(50))
        words += ['no_stream'] * (proto in ('tcp', 'ip'))
        return [f'flow:{",".join(words)};']

    def ip(self, p):
        rng, ttl = self.rng, p.ttl
        fields = [f'ttl:{rng.choice(("", "<", ">", "<=", ">="))}{self.near(ttl)};', f'ttl:{max(0, ttl - 2)}-{ttl + 1};',
                  f'tos:{rng.choice(("", "!"))}{p.tos};', f'ip_proto:{rng.choice(("", "!"))}{p.proto};', 'sameip;',
                  'fragbits:D;', 'fragbits:!D;', 'fragbits:M;', 'fragoffset:0;', 'ipopts:any;']
        return [rng.choice(fields + [f'id:{p.ident};'] * (p.version == 4))]

    def size(self, p):
        n, rng = len(p.payload), self.rng
        return [rng.choice((f'dsize:{self.near(n)};', f'dsize:>{self.near(n)};', f'dsize:<{self.near(n, 1)};',
                            f'dsize:{max(0, n - 3)}<>{n + rng.randint(0, 3)};', f'dsize:!{self.near(n)};'))]

    def transport(self, p):
        rng, h = self.rng, p.l4
        word = int.from_bytes
        if p.proto == 6:
            flags = tcp_flags(p)
            return [rng.choice((f'flags:{flags};', f'flags:{flags},CE;', f'flags:+{flags};', f'flags:{rng.choice("FSRPA")};',
                                f'flags:*{rng.choice(("SF", "PA", "RU"))};', f'flags:!{flags};',
                                f'seq:{word(h[4:8], "big")};', f'ack:{word(h[8:12], "big")};',
                                f'window:{rng.choice(("", "!"))}{word(h[14:16], "big")};',
                                f'tcp.mss:>{rng.choice((500, 1459, 1460))};'))]
        if p.proto in (1, 58):
            return [rng.choice((f'itype:{self.near(h[0])};', f'itype:>{self.near(h[0])};', f'icode:{self.near(h[1])};',
                                f'icode:<{h[1] + 1};', f'itype:{max(0, h[0] - 1)}<>{h[0] + rng.randint(1, 2)};',
                                f'icmp_id:{word(h[4:6], "big")};', f'icmp_seq:{word(h[6:8], "big")};'))]
        return self.size(p)

    # --- the payload: a walk along it, each option knowing where the one before ended ---------------------------------

    def payload(self, data):
        options, end, names = [], None, []
        for _ in range(self.rng.choice((1, 1, 2, 2, 3, 4))):
            kind = self.rng.choice(('content',) * 6 + ('pcre', 'test', 'jump', 'extract', 'isdataat'))
            if not options and kind in ('isdataat', 'jump', 'extract', 'test') and self.chance(50):
                kind = 'content'
            text, end = getattr(self, kind)(data, end, names)
            options += text
        return options

    def piece(self, data, end):
        rng = self.rng
        size = min(len(data), rng.choice((1, 2, 3, 4, 4, 5, 6, 8, 12, 20)))
        low = min(end, len(data) - size) if end is not None and self.chance(80) else 0
        high = min(len(data) - size, low + rng.choice((0, 3, 20, 2000)))
        at = rng.randint(low, high)
        return at, data[at:at + size]

    def content(self, data, end, names):
        rng = self.rng
        at, bytes_ = self.piece(data, end)
        text, options = bytearray(bytes_), []
        if self.chance(15):
            options.append('nocase;')
            if self.chance(70):
                text = bytearray(bytes(text).swapcase())
        elif self.chance(8):
            text[rng.randrange(len(text))] ^= rng.choice((0x20, 1, 0xff))
        negated = self.chance(15)
        options += self.position(data, at, len(text), end, names)
        head = [f'content:{"!" * negated}"{quoted(text)}";']
        return head + options, end if negated else at + len(text)

    def position(self, data, at, size, end, names):
        rng, kind = self.rng, self.rng.randrange(10)
        if kind < 3:
            return []
        if end is not None and kind < 8:
            distance = at - end
            options = []
            if self.chance(75):
                value = rng.choice(names) if names and self.chance(20) else self.near(distance, -1000)
                options.append(f'distance:{value};')
            if self.chance(60) or not options:
                room = self.near(distance + size if not options else size, size) + rng.choice((0, 0, 3))
                options.append(f'within:{max(size, room)};')
            return options
        if kind == 8:
            return [rng.choice(('startswith;', 'endswith;', 'startswith; endswith;'))]
        if kind == 9 and len(data) - at < size + 4:
            return ['endswith;']
        offset = self.near(at)
        options = [f'offset:{rng.choice(names) if names and self.chance(20) else offset};'] * self.chance(70)
        if self.chance(60):
            options.append(f'depth:{max(size, self.near(size if options else at + size))};')
        return options

    def pcre(self, data, end, names):
        at, text = self.piece(data, end)
        body = ''.join(rf'\x{b:02x}' if self.chance(75) else '.' for b in text)
        body = self.rng.choice(('{}', '^{}', '{}$', '({}|zz)', '{}.', '[^a]{}', '{}+')).format(body)
        flags = self.rng.choice(('', 's', 'i', 'R' if end is not None else '', 'Rs' if end is not None else 's', 'm'))
        return [f'pcre:"{"!" * self.chance(10)}/{body}/{flags}";'.replace('"!/', '!"/')], at + len(text)

    def number(self, data, end):
        """Bytes to read as a number: (offset, size, value, relative, order), or nothing fits."""
        size = self.rng.choice((1, 1, 2, 2, 4, 3))
        relative = end is not None and self.chance(60)
        base = end if relative else 0
        if base + size > len(data):
            return 0, size, 0, relative, 'big'
        offset = self.rng.randint(0, min(len(data) - size - base, 24))
        order = self.rng.choice(('big', 'big', 'little'))
        return offset, size, int.from_bytes(data[base + offset:base + offset + size], order), relative, order

    @staticmethod
    def words(relative, order):
        return ',relative' * relative + (',little' if order == 'little' else '')

    def test(self, data, end, names):
        offset, size, value, relative, order = self.number(data, end)
        op = self.rng.choice(('=', '>', '<', '>=', '<=', '&', '^', '!=', '!>', '!&'))
        against = self.rng.choice(names) if names and self.chance(25) else self.near(value)
        mask = f',bitmask 0x{self.rng.choice((0x0f, 0xf0, 0x7f, 0x3c)):x}' * self.chance(15)
        return [f'byte_test:{size},{op},{against},{self.near(offset)}{self.words(relative, order)}{mask};'], end

    def jump(self, data, end, names):
        offset, size, value, relative, order = self.number(data, end)
        words, to = '', value
        if self.chance(15):
            words, to = words + ',multiplier 2', to * 2
        if self.chance(15):
            words, to = words + ',align', (to + 3) & ~3
        start = self.rng.randrange(6) == 0
        if start:
            words, base = words + ',from_beginning', 0
        else:
            base = (end if relative else 0) + offset + size
        if self.chance(20):
            post = self.rng.choice((-2, -1, 1, 3))
            words, to = words + f',post_offset {post}', to + post
        target = min(max(0, base + to), len(data))
        return [f'byte_jump:{size},{offset}{self.words(relative, order)}{words};'], target

    def extract(self, data, end, names):
        offset, size, _, relative, order = self.number(data, end)
        name = f'v{len(names)}'
        words = self.words(relative, order) + f',multiplier {self.rng.randint(2, 4)}' * self.chance(10)
        names.append(name)
        return [f'byte_extract:{size},{offset},{name}{words};'], end

    def isdataat(self, data, end, names):
        relative = end is not None and self.chance(65)
        left = len(data) - (end if relative else 0)
        value = self.rng.choice(names) if names and self.chance(20) else self.near(max(0, left))
        return [f'isdataat:{"!" * self.chance(40)}{value}{",relative" * relative};'], end
