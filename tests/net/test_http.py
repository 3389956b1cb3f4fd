# SPDX-License-Identifier: BSD-2-Clause
"""HTTP through the bridge, between real programs: what is harmless arrives byte for byte, and an attack in any buffer is
dropped before its last byte arrives; the same with every segment cut into single bytes, in both directions.

      client             hop            appliance            hop             server
    +--------+      +-----------+     +-----------+     +-----------+     +---------+
    | curl   |------| 1 byte at |-----|   ipsd    |-----| 1 byte at |-----| nginx   |
    |        |      | a time    |     |           |     | a time    |     |         |
    +--------+      +-----------+     +-----------+     +-----------+     +---------+
"""
from concurrent.futures import ThreadPoolExecutor
import gzip
import hashlib
import json
import shutil
import subprocess

import pytest

from lab import BUILD, SERVER4, wait_until

pytestmark = pytest.mark.lab(hops=True)

TEXT = b''.join(b'%05d a line of harmless text that compresses well\n' % i for i in range(1200))  # 60 KB
EVIL = b'<html>' + b'.' * 3000 + b'EVIL-PAYLOAD-IN-THE-BODY' + b'.' * 500 + b'</html>'

RULES = '''
drop http any any -> any any (msg:"uri"; http.uri; content:"/admin/../evil"; sid:1;)
drop http any any -> any any (msg:"uri, decoded"; http.uri; content:"/evil.cgi"; sid:2;)
drop http any any -> any any (msg:"header"; http.header; content:"X-Evil|3a| yes"; nocase; sid:3;)
drop http any any -> any any (msg:"agent"; http.user_agent; content:"evilbot"; sid:4;)
drop http any any -> any any (msg:"host"; http.host; content:"evil.example"; sid:5;)
drop http any any -> any any (msg:"cookie"; http.cookie; content:"evil=1"; sid:6;)
drop http any any -> any any (msg:"request body"; http.method; content:"POST"; http.request_body; content:"evil-upload"; sid:7;)
drop http any any -> any any (msg:"response body"; flow:to_client; file.data; content:"EVIL-PAYLOAD"; sid:8;)
drop http any any -> any any (msg:"method"; http.method; content:"EVIL"; sid:9;)
'''

NGINX = '''
daemon off;
user root;
worker_processes 1;
pid {tmp}/pid;
error_log {tmp}/error.log;
{modules}
events {{ worker_connections 256; }}
http {{
    access_log {tmp}/access.log;
    client_max_body_size 10m;
    client_body_temp_path {tmp}; proxy_temp_path {tmp}; fastcgi_temp_path {tmp}; uwsgi_temp_path {tmp}; scgi_temp_path {tmp};
    gzip on; gzip_types *; gzip_min_length 1; gzip_http_version 1.0;
    {brotli}
    server {{
        listen 80;
        listen 8081 http2;
        root {root};
        location /status {{ return 204; }}
        location /upload {{ client_body_in_file_only on; client_body_temp_path {uploads}; proxy_pass http://127.0.0.1:8099/; }}
    }}
    server {{ listen 127.0.0.1:8099; location / {{ return 200 "taken\\n"; }} }}
}}
'''


class Web:
    """nginx on the server: compression, HTTP/2, uploads kept as files."""

    def __init__(self, lab):
        self.lab = lab
        self.root, tmp, self.uploads = (lab.dir / n for n in ('www', 'nginx', 'uploads'))
        for d in (self.root, tmp, self.uploads):
            d.mkdir()
            d.chmod(0o777)
        for name, content in (('index.html', b'hello\n'), ('text', TEXT), ('evil.html', EVIL), ('empty', b'')):
            lab.write(f'www/{name}', content)
        module = subprocess.run(['sh', '-c', 'ls /usr/lib/nginx/modules/ngx_http_brotli_filter_module.so'],
                                capture_output=True, text=True).stdout.strip()
        self.brotli = bool(module)
        conf = lab.write('nginx.conf', NGINX.format(
            tmp=tmp, root=self.root, uploads=self.uploads, modules=f'load_module {module};' if module else '',
            brotli='brotli on; brotli_types *; brotli_min_length 1;' if module else ''))
        self.log = tmp / 'access.log'
        with open(tmp / 'stderr', 'wb') as log:
            p = lab.server.start(['nginx', '-e', tmp / 'error.log', '-p', tmp, '-c', conf], stdout=log, stderr=log)

        def up():
            assert p.poll() is None, 'nginx: ' + (tmp / 'stderr').read_text()
            return lab.server.listening(80)
        wait_until(up, 'nginx to listen')

    def seen(self):
        return self.log.read_text() if self.log.exists() else ''


def alerts(d):
    return [json.loads(line)['alert']['signature_id'] for line in d.eve.read_text().splitlines()
            if '"event_type":"alert"' in line] if d.eve.exists() else []


@pytest.fixture(params=[0, 1], ids=['whole', 'bytes'])
def web(lab, request):
    for tool in ('nginx', 'curl'):
        if not shutil.which(tool):
            pytest.skip(f'{tool} is not installed: make deps')
    if not (BUILD / 'tests/net/impair').exists():
        pytest.skip('tests/net/impair is not built: make programs')
    lab.cut = request.param
    lab.cut_segments(1 if request.param else 65535)
    lab.daemon = lab.ipsd(RULES)
    lab.web = Web(lab)
    return lab


def get(lab, path, *args, check=True, timeout=40, out='got'):
    out = lab.dir / out
    out.unlink(missing_ok=True)
    p = lab.curl(f'http://{SERVER4}{path}', '-o', str(out), '-w', '%{http_code} %{http_version} %{size_download}', *args,
                 check=check, timeout=timeout)
    return p, out.read_bytes() if out.exists() else b''


@pytest.mark.parametrize('how', ['plain', 'gzip', 'brotli', 'http2'])
def test_harmless_downloads_arrive_as_they_are(web, how):
    args = {'plain': [], 'gzip': ['-H', 'Accept-Encoding: gzip'], 'brotli': ['-H', 'Accept-Encoding: br', '--compressed'],
            'http2': ['--http2-prior-knowledge']}[how]
    if how == 'brotli' and not web.web.brotli:
        pytest.skip('nginx has no brotli module: make deps')
    url = ':8081/text' if how == 'http2' else '/text'
    p, got = get(web, url, *args)
    assert p.stdout.startswith('200 '), p.stdout + p.stderr
    if how == 'gzip':
        got = gzip.decompress(got)
    assert hashlib.sha256(got).hexdigest() == hashlib.sha256(TEXT).hexdigest()
    assert not alerts(web.daemon)
    drops = {k: n for k, n in web.daemon.drops().items() if n}
    assert not drops.get('rules'), drops


def test_harmless_uploads_arrive_as_they_are(web):
    data = web.write('up', TEXT[:20000])
    for args in (['--data-binary', f'@{data}'], ['-H', 'Transfer-Encoding: chunked', '--data-binary', f'@{data}']):
        p, got = get(web, '/upload', *args, '-H', 'Expect:')
        assert p.stdout.startswith('200 ') and got == b'taken\n', p.stdout + p.stderr
    kept = [f.read_bytes() for f in web.web.uploads.rglob('*') if f.is_file()]
    assert kept == [TEXT[:20000]] * 2
    assert not alerts(web.daemon)


ATTACKS = {
    'uri': (2, '/evil.cgi', []),
    'uri-encoded': (2, '/%65vi%6c.cgi', []),
    'uri-dots': (2, '/a/%2e%2e/./evil.cgi', ['--path-as-is']),
    'header': (3, '/', ['-H', 'X-Evil: yes']),
    'agent': (4, '/', ['-A', 'Mozilla evilbot 1.0']),
    'host': (5, '/', ['-H', 'Host: WWW.Evil.Example:80']),
    'cookie': (6, '/', ['-H', 'Cookie: a=b; evil=1']),
    'method': (9, '/', ['-X', 'EVIL']),
    'body': (7, '/upload', ['--data-binary', 'x' * 2000 + 'evil-upload']),
    'body-chunked': (7, '/upload', ['-H', 'Transfer-Encoding: chunked', '-H', 'Expect:', '--data-binary',
                                    'x' * 2000 + 'evil-upload']),
    'response': (8, '/evil.html', []),
    'response-gzip': (8, '/evil.html', ['-H', 'Accept-Encoding: gzip']),
    'response-brotli': (8, '/evil.html', ['-H', 'Accept-Encoding: br']),
}


def attack(lab, name, version):
    """What curl said and got; over HTTP/2 nothing is chunked, and fields have lower-case names."""
    _, path, args = ATTACKS[name]
    if version == '2':
        path = ':8081' + path
        args = ['--http2-prior-knowledge', *(args[2:] if name == 'body-chunked' else args)]
    return get(lab, path, *args, check=False, timeout=5 if lab.cut else 3, out=f'got-{name}')


@pytest.mark.parametrize('version', ['1.1', '2'])
def test_attacks_are_dropped_before_their_last_byte(web, version):
    names = [a for a in ATTACKS if web.web.brotli or a != 'response-brotli']
    with ThreadPoolExecutor(len(names)) as pool:  # each waits in vain for an answer
        results = dict(zip(names, pool.map(lambda a: attack(web, a, version), names)))
    answered = {a: p.stdout for a, (p, _) in results.items() if p.returncode == 0}
    assert not answered, f'answered: {answered}'
    for name, (_, got) in results.items():
        assert b'EVIL-PAYLOAD-IN-THE-BODY' not in got, name
    log = [line for line in web.web.seen().splitlines() if 'evil.html' not in line]
    assert not log, log
    assert not any(b'evil-upload' in f.read_bytes() for f in web.web.uploads.rglob('*') if f.is_file())
    sids = {ATTACKS[a][0] for a in names}
    wait_until(lambda: sids <= set(alerts(web.daemon)), f'the alerts of rules {sids}', 5)
    _, got = get(web, '/index.html')
    assert got == b'hello\n'  # the others go on
