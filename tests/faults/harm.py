# SPDX-License-Identifier: BSD-2-Clause
"""Ways to harm a process that take more than a signal: one thread stopped, memory run out, an interface gone."""
import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import time

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000
GROUP_V1, GROUP_V2 = pathlib.Path('/sys/fs/cgroup/memory'), pathlib.Path('/sys/fs/cgroup')
HOG_LIMIT_BYTES = 192 << 20
HOG = '''
import time
held = []
while True:
    held.append(bytearray(b"x") * (4 << 20))
    time.sleep(0.002)
'''


def ptrace(request, tid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, tid, None, None) < 0:
        raise OSError(ctypes.get_errno(), f'ptrace {request:#x} of thread {tid}')


@contextlib.contextmanager
def thread_stopped(tid):
    """The thread does not run until the block ends; the others of its process do. From one and the same thread of ours."""
    ptrace(PTRACE_SEIZE, tid)
    ptrace(PTRACE_INTERRUPT, tid)
    os.waitpid(tid, WALL)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # its process may have been ended meanwhile
            ptrace(PTRACE_DETACH, tid)


@contextlib.contextmanager
def process_stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def memory_group():
    """A memory cgroup of our own, of version 1 or 2, and the name of its limit; None where we may not have one."""
    v1 = GROUP_V1.is_dir()
    folder = (GROUP_V1 if v1 else GROUP_V2) / f'slfaults-{os.getpid()}'
    try:
        folder.mkdir(exist_ok=True)
        limit = folder / ('memory.limit_in_bytes' if v1 else 'memory.max')
        if not limit.exists():
            raise OSError('no memory controller')
    except OSError:
        with contextlib.suppress(OSError):
            folder.rmdir()
        return None
    return folder, limit


def run_out_of_memory(pid, died, seconds=10):
    """The kernel kills the process because the memory of its cgroup is used up. died() says when it has."""
    group = memory_group()
    if group is None:
        return False
    folder, limit = group
    limit.write_text(str(HOG_LIMIT_BYTES))
    (folder / 'cgroup.procs').write_text(str(pid))
    pathlib.Path(f'/proc/{pid}/oom_score_adj').write_text('1000')  # it is the one to be killed, not who takes the memory
    hog = subprocess.Popen([sys.executable, '-c', HOG], stdin=subprocess.DEVNULL,
                           preexec_fn=lambda: (folder / 'cgroup.procs').write_text(str(os.getpid())))
    try:
        deadline = time.monotonic() + seconds
        while not died() and time.monotonic() < deadline:
            time.sleep(0.001)
        return died()
    finally:
        hog.kill()
        hog.wait()
        for _ in range(200):  # until the last of its processes is gone
            with contextlib.suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.01)
