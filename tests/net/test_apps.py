# SPDX-License-Identifier: BSD-2-Clause
"""Protocols through the bridge, between real programs: what is harmless works and arrives as it is, an attack in a buffer
of its protocol is dropped; the same with every segment cut into single bytes, in both directions. HTTP is in test_http.py.

      client                         hop                 appliance               hop              server
    +---------------------+      +-----------+          +-----------+        +-----------+      +---------------------+
    | openssl, dig, swaks,|------| 1 byte at |----------|   ipsd    |--------| 1 byte at |------| openssl, dnsmasq,   |
    | curl, smbclient, ssh|      | a time    |          |           |        | a time    |      | vsftpd, samba, sshd |
    +---------------------+      +-----------+          +-----------+        +-----------+      +---------------------+
"""
import base64
import json
import os
import shutil
import subprocess
import tempfile

import pytest

from lab import BUILD, SERVER4, wait_until

pytestmark = pytest.mark.lab(hops=True)
DATA = b''.join(b'%04d harmless bytes of a file\n' % i for i in range(400))  # 12 KB


@pytest.fixture(params=[0, 1], ids=['whole', 'bytes'])
def path(lab, request):
    if not (BUILD / 'tests/net/impair').exists():
        pytest.skip('tests/net/impair is not built: make programs')
    lab.cut = request.param
    lab.cut_segments(1 if request.param else 65535)
    return lab


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f'{tool} is not installed: make deps')


def serve(lab, cmd, port, kind='t', **kw):
    said = lab.dir / f'server-{port}'
    with open(said, 'wb') as out:
        p = lab.server.start(cmd, stdout=out, stderr=out, **kw)

    def up():
        assert p.poll() is None, f'{cmd[0]}: {said.read_text()}'
        return lab.server.listening(port, kind)
    wait_until(up, f'{cmd[0]} to listen')
    return p, said


def events(d, kind):
    if not d.eve.exists():
        return []
    return [e for e in map(json.loads, d.eve.read_text().splitlines()) if e['event_type'] == kind]


def alerts(d):
    return [e['alert']['signature_id'] for e in events(d, 'alert')]


def alerted(d, sid):
    wait_until(lambda: sid in alerts(d), f'the alert of rule {sid}', 10)


def attack(lab, d, sid, cmd, n=1):
    """Runs a client until its rule has alerted (n times in all), and a moment longer; what it said."""
    with tempfile.TemporaryFile() as out:
        p = lab.client.start(cmd, stdout=out, stderr=out)
        wait_until(lambda: alerts(d).count(sid) >= n, f'the alert of rule {sid}', 20)
        try:
            p.wait(0.7)
        except subprocess.TimeoutExpired:
            p.kill()  # it waits for an answer that does not come
            p.wait()
        out.seek(0)
        return p.returncode, out.read().decode(errors='replace')


def quiet_rules(d):
    drops = {k: n for k, n in d.drops().items() if n}
    assert not drops.get('rules') and not alerts(d), (drops, alerts(d))


# --- TLS ----------------------------------------------------------------------------------------------------------------

TLS_RULES = '''
drop tls any any -> any any (msg:"sni"; tls.sni; content:"evil.example"; endswith; sid:1;)
drop tls any any -> any any (msg:"certificate"; tls.cert_subject; content:"CN=evil-certificate"; sid:2;)
'''


def certificate(lab, name):
    key, pem = lab.dir / f'{name}.key', lab.dir / f'{name}.pem'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj',
                    f'/C=XX/O=Test/CN={name}', '-keyout', key, '-out', pem], check=True, capture_output=True)
    return key, pem


def s_client(lab, version, *args, port=4433):
    """Sends a line; s_server's -rev gives it back turned round."""
    return ['sh', '-c', f'(echo abcdef; sleep {2.5 if lab.cut else 1}) | timeout 15 openssl s_client -connect {SERVER4}:{port} -{version} '
            '-quiet -no_ign_eof -cipher DEFAULT:@SECLEVEL=0 ' + ' '.join(args)]


@pytest.mark.parametrize('version', ['tls1', 'tls1_1', 'tls1_2', 'tls1_3'])
def test_tls(path, version):
    need('openssl')
    d = path.ipsd(TLS_RULES)
    for port, name in ((4433, 'good-certificate'), (4434, 'evil-certificate')):
        key, pem = certificate(path, name)
        serve(path, ['openssl', 's_server', '-accept', f'{SERVER4}:{port}', '-key', key, '-cert', pem, '-rev', '-quiet', '-cipher',
                     'DEFAULT:@SECLEVEL=0', f'-{version}'], port)
    assert 'fedcba' in path.client.run(s_client(path, version, '-servername', 'good.example'), check=False).stdout
    quiet_rules(d)
    tls = wait_until(lambda: events(d, 'tls'), 'the event of the handshake', 10)[0]['tls']
    assert tls['sni'] == 'good.example' and tls['version'] == {'tls1': 'TLSv1', 'tls1_1': 'TLS 1.1', 'tls1_2': 'TLS 1.2',
                                                              'tls1_3': 'TLS 1.3'}[version], tls
    assert 'fedcba' not in attack(path, d, 1, s_client(path, version, '-servername', 'www.evil.example'))[1]
    if version != 'tls1_3':  # there the certificate is encrypted
        assert tls['subject'] == 'C=XX, O=Test, CN=good-certificate'
        assert 'fedcba' not in attack(path, d, 2, s_client(path, version, '-servername', 'good.example', port=4434))[1]


# --- DNS ----------------------------------------------------------------------------------------------------------------

DNS_RULES = '''
drop dns any any -> any any (msg:"query"; dns.query; content:"evil.example"; nocase; endswith; sid:1;)
'''


def test_dns(path):
    need('dig', 'dnsmasq')
    d = path.ipsd(DNS_RULES)
    serve(path, ['dnsmasq', '-k', '-u', 'root', '-C', '/dev/null', '--no-resolv', '--no-hosts', '-p', '5300', '-a', SERVER4,
                 '--bind-interfaces', '--pid-file', '--address=/example/192.0.2.7',
                 '--txt-record=long.example,' + 'x' * 200], 5300)

    def command(*args):
        return ['dig', f'@{SERVER4}', '-p', '5300', '+tries=1', '+time=8', '+short', *args]

    def dig(*args):
        return path.client.run(command(*args), check=False).stdout
    for tcp in ('+notcp', '+tcp'):
        assert dig(tcp, 'good.example').strip() == '192.0.2.7'
        assert 'x' * 200 in dig(tcp, 'TXT', 'long.example')
    quiet_rules(d)
    for n, tcp in enumerate(('+notcp', '+tcp'), 1):
        assert '192.0.2.7' not in attack(path, d, 1, command(tcp, 'www.Evil.example'), n)[1]


# --- SMTP ---------------------------------------------------------------------------------------------------------------

SMTP_RULES = '''
drop smtp any any -> any any (msg:"sender"; smtp.mail_from; content:"evil@"; sid:1;)
drop smtp any any -> any any (msg:"attachment"; file.data; content:"EVIL-ATTACHMENT"; sid:2;)
'''

SMTPD = '''
import asyncio, sys
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
class Keep(Message):
    n = 0
    def handle_message(self, m):
        Keep.n += 1
        open(f'{sys.argv[2]}/mail{Keep.n}', 'wb').write(m.as_bytes())
c = Controller(Keep(), hostname=sys.argv[1], port=2525)
c.start()
asyncio.new_event_loop().run_forever()
'''


def test_smtp(path):
    need('swaks')
    if subprocess.run(['/usr/bin/python3', '-c', 'import aiosmtpd'], capture_output=True).returncode:
        pytest.skip('aiosmtpd is not installed: make deps')
    d = path.ipsd(SMTP_RULES)
    box = path.dir / 'box'
    box.mkdir()
    serve(path, ['/usr/bin/python3', path.write('smtpd.py', SMTPD), SERVER4, box], 2525)
    harmless, evil = path.write('a.bin', DATA[:3000]), path.write('e.bin', b'.' * 1000 + b'EVIL-ATTACHMENT' + b'.' * 900)

    def mail_from(sender, attachment):
        return ['swaks', '--server', SERVER4, '--port', '2525', '--from', sender, '--to', 'you@example.org', '--timeout', '20', '--attach',
                f'@{attachment}', '--body', 'hello']
    p = path.client.run(mail_from('me@example.org', harmless), check=False)
    assert p.returncode == 0, p.stdout + p.stderr
    mail = wait_until(lambda: list(box.iterdir()), 'the mail')[0].read_bytes()
    assert base64.b64encode(DATA[:3000])[:60] in mail
    quiet_rules(d)
    for sid, sender, attachment in ((1, 'evil@example.org', harmless), (2, 'me@example.org', evil)):
        assert attack(path, d, sid, mail_from(sender, attachment))[0] != 0
    assert len(list(box.iterdir())) == 1


# --- FTP ----------------------------------------------------------------------------------------------------------------

FTP_RULES = '''
drop ftp any any -> any any (msg:"command"; ftp.command; content:"DELE"; sid:1;)
drop ftp-data any any -> any any (msg:"file"; file.data; content:"EVIL-UPLOAD"; sid:2;)
'''


def test_ftp(path):
    need('vsftpd', 'curl')
    d = path.ipsd(FTP_RULES)
    root, empty = path.dir / 'ftp', path.dir / 'empty'
    for f in (root, root / 'pub', empty):
        f.mkdir()
    root.chmod(0o555)
    (root / 'pub').chmod(0o777)
    path.write('ftp/pub/data', DATA)
    conf = path.write('vsftpd.conf', f'''
listen=YES
listen_port=2121
background=NO
anonymous_enable=YES
local_enable=NO
write_enable=YES
anon_upload_enable=YES
anon_other_write_enable=YES
anon_root={root}
anon_umask=022
no_anon_password=YES
secure_chroot_dir={empty}
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
pasv_address={SERVER4}
ftp_username=daemon
''')
    os.chown(conf, 0, 0)
    serve(path, ['vsftpd', conf], 2121)
    url = f'ftp://{SERVER4}:2121/pub/'

    def curl(*args):
        return ['curl', '-sS', '--noproxy', '*', '--max-time', '60', *map(str, args)]
    for mode in ([], ['--disable-epsv'], ['--ftp-port', '-']):
        p = path.client.run(curl(*mode, url + 'data', '-o', path.dir / 'got'), check=False)
        assert p.returncode == 0 and (path.dir / 'got').read_bytes() == DATA, (mode, p.stderr)
    quiet_rules(d)
    evil = path.write('evil', b'-' * 500 + b'EVIL-UPLOAD' + b'-' * 100)
    assert attack(path, d, 2, curl('-T', evil, url + 'up'))[0] != 0
    up = root / 'pub/up'
    assert not up.exists() or b'EVIL-UPLOAD' not in up.read_bytes()
    assert attack(path, d, 1, curl(url, '-Q', 'DELE pub/data', '-o', path.dir / 'list'))[0] != 0
    assert (root / 'pub/data').exists()


# --- SMB ----------------------------------------------------------------------------------------------------------------

SMB_RULES = '''
drop smb any any -> any any (msg:"share"; smb.share; content:"evil"; nocase; sid:1;)
drop smb any any -> any any (msg:"file"; file.data; content:"EVIL-UPLOAD"; sid:2;)
'''


def test_smb(path):
    need('smbd', 'smbclient')
    d = path.ipsd(SMB_RULES)
    state = path.dir / 'samba'
    for name in ('good', 'evil'):
        (path.dir / name).mkdir()
        (path.dir / name).chmod(0o777)
    state.mkdir()
    path.write('good/data', DATA)
    path.write('evil/data', DATA)
    dirs = '\n'.join(f'{k} = {state}' for k in ('private dir', 'lock directory', 'state directory', 'cache directory', 'pid directory',
                                                 'ncalrpc dir'))
    shares = '\n'.join(f'[{n}]\npath = {path.dir / n}\nguest ok = yes\nguest only = yes\nread only = no\nforce user = root'
                       for n in ('good', 'evil'))
    conf = path.write('smb.conf', f'''
[global]
smb ports = 4455
interfaces = lan0
bind interfaces only = yes
map to guest = Bad User
guest account = root
disable spoolss = yes
load printers = no
log level = 0
{dirs}
{shares}
''')
    # it ends with a signal to its whole group, which must not be ours
    serve(path, ['smbd', '--foreground', '--no-process-group', '-s', conf], 4455, start_new_session=True)

    def smb(share, commands):
        return ['timeout', '60', 'smbclient', f'//{SERVER4}/{share}', '-N', '-p', '4455', '-s', '/dev/null',
                '--option=client min protocol=SMB2', '-c', commands]
    p = path.client.run(smb('good', f'get data {path.dir / "got"}; put {path.dir / "got"} copy'), check=False)
    assert p.returncode == 0, p.stdout + p.stderr
    assert (path.dir / 'got').read_bytes() == DATA and (path.dir / 'good/copy').read_bytes() == DATA
    quiet_rules(d)
    assert attack(path, d, 1, smb('evil', 'ls'))[0] != 0
    evil = path.write('up', b'-' * 500 + b'EVIL-UPLOAD' + b'-' * 100)
    attack(path, d, 2, smb('good', f'put {evil} up'))
    up = path.dir / 'good/up'
    assert not up.exists() or b'EVIL-UPLOAD' not in up.read_bytes()


# --- SSH ----------------------------------------------------------------------------------------------------------------

SSH_RULES = '''
drop ssh any any -> any any (msg:"software"; flow:to_server; ssh.software; content:"evil"; sid:1;)
'''


def test_ssh(path):
    need('sshd', 'ssh', 'ssh-keygen')
    d = path.ipsd(SSH_RULES)
    for name in ('host', 'user'):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path.dir / name], check=True)
    os.makedirs('/run/sshd', exist_ok=True)
    keys = path.write('keys', (path.dir / 'user.pub').read_text())
    conf = path.write('sshd_config', f'''
Port 2222
ListenAddress {SERVER4}
HostKey {path.dir / 'host'}
AuthorizedKeysFile {keys}
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
''')
    serve(path, [shutil.which('sshd'), '-D', '-e', '-f', conf], 2222)
    p = path.client.run(['timeout', '40', 'ssh', '-F', '/dev/null', '-i', path.dir / 'user', '-p', '2222', '-o', 'StrictHostKeyChecking=no',
                         '-o', 'UserKnownHostsFile=/dev/null', '-o', 'BatchMode=yes', f'root@{SERVER4}', 'cat; echo done'],
                        stdin=open(path.write('in', DATA[:2000])), check=False)
    assert p.stdout.encode() == DATA[:2000] + b'done\n', p.stderr
    quiet_rules(d)
    ssh = wait_until(lambda: events(d, 'ssh'), 'the event of the banners', 10)[0]['ssh']
    assert ssh['client']['proto_version'] == '2.0' and 'OpenSSH' in ssh['server']['software_version'], ssh
    s = path.client.socket(2, 1)
    s.connect((SERVER4, 2222))
    s.sendall(b'SSH-2.0-evil_client\r\n')
    alerted(d, 1)
