# SPDX-License-Identifier: BSD-2-Clause
"""A capture made for rules: for each rule one packet that holds its contents where it looks for them, and near misses.

The recorded captures hardly meet public rules, so here the rules get the packets they wait for, as far as contents, dsize,
isdataat, TCP flags and ICMP types tell. What pcre and byte_test want is not worked out: both engines say so, or both do not.
The rules are taken without addresses, ports and flow (loosened()): they are compared elsewhere.
"""
import re
import struct

import capture

OPTION = re.compile(r'\s*([a-z0-9_.]+)\s*(?::((?:[^;\\]|\\.)*))?;')
PLACES = ('offset', 'depth', 'distance', 'within')
PAYLOAD_MAX = 8000
FILLER = b'.'


def loosened(rule):
    proto = rule.split(None, 2)[1]
    options = rule[rule.index('('):]
    options = re.sub(r'\bflow\s*:[^;]*;', '', options)
    return f'alert {proto} any any -> any any ' + options.replace('(', '(flow:no_stream; ' if proto == 'tcp' else '(', 1)


def text_of(quoted):
    """The bytes of a content: |hex|, and a backslash before what needs one."""
    out = bytearray()
    for i, part in enumerate(quoted.strip().strip('"').split('|')):
        out += bytes.fromhex(part) if i % 2 else re.sub(r'\\(.)', r'\1', part).encode('utf-8', 'surrogateescape')
    return bytes(out)


def contents(options):
    found = []
    for name, value in options:
        if name == 'content':
            found.append({} if value.strip().startswith('!') else {'text': text_of(value)})
        elif found and name in PLACES and re.fullmatch(r'\s*-?\d+\s*', value or ''):
            found[-1][name] = int(value)
        elif found and name == 'startswith':
            found[-1]['offset'] = 0
    return [c for c in found if 'text' in c]


def payload(options):
    data, end = bytearray(), 0
    for c in contents(options):
        if 'distance' in c or 'within' in c:
            at = max(0, end + c.get('distance', 0))
        else:
            at = c.get('offset', 0 if 'depth' in c else len(data))
        end = at + len(c['text'])
        data += FILLER * (end - len(data))
        data[at:end] = c['text']
    for name, value in options:
        wanted = re.match(r'\s*(>?)\s*(\d+)(<>)?', value or '')
        if name == 'isdataat' and wanted:
            data += FILLER * (end + int(wanted[2]) + 1 - len(data))
        elif name == 'dsize' and wanted:
            size = int(wanted[2]) + bool(wanted[1] or wanted[3])
            data = (data + FILLER * size)[:max(size, len(data) if wanted[1] else 0)]
    return bytes(data[:PAYLOAD_MAX])


def number(options, name, default):
    value = dict(options).get(name)
    return int(value) if value and value.strip().isdigit() else default


def packet(proto, options, data, at):
    """IPv4 from its header on; every packet is a flow of its own."""
    if proto == 'tcp':
        letters = dict(options).get('flags') or dict(options).get('tcp.flags') or 'PA'
        flags = sum(1 << i for i, c in enumerate(capture.FLAG_LETTERS) if c in letters.split(',')[0])
        l4, kind = struct.pack('>HHIIBBHHH', 1024 + at, 2000, 1, 1, 0x50, flags, 8192, 0, 0), 6
    elif proto == 'icmp':
        l4, kind = struct.pack('>BBHHH', number(options, 'itype', 8), number(options, 'icode', 0), 0, at & 0xffff, 1), 1
    else:
        l4, kind = struct.pack('>HHHH', 1024 + at, 2000, 8 + len(data), 0), 17
    address = struct.pack('>I', 0x0a000000 + at)
    return struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(l4) + len(data), 1, 0, 64, kind, 0, address, b'\x0a\xff\0\1') + l4 + data


def write(path, rules, rng, misses=2):
    """A raw-IP capture: for every rule its packet, then `misses` with one byte changed or one fewer."""
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, capture.RAW))
        at = 0
        for rule in rules:
            options = [(m[1], m[2]) for m in OPTION.finditer(rule[rule.index('(') + 1:])]
            data = payload(options)
            for miss in range(misses + 1 if data else 1):
                shown = bytearray(data)
                if miss and rng.randrange(4) == 0:
                    shown.pop()
                elif miss:
                    shown[rng.randrange(len(shown))] ^= rng.choice((0x20, 1, 0xff))
                at += 1
                p = packet(rule.split(None, 2)[1], options, bytes(shown), at)
                f.write(struct.pack('<IIII', at // 1000, at % 1000 * 1000, len(p), len(p)) + p)
