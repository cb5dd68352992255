"""An agent that buys flowers, and does to itself what an attacker inside it would do. Takes a line, answers a line: `word rest`."""
import ctypes
import json
import os
import socket
import sys
import time

PATH = sys.argv[1]
BODY = '{"payee":{"id":"florist","origin":"https://flowers.example"},"amount":{"amount":100,"currency":"CNY"},"order":{"ref":"A"},"task_id":"birthday","scenario":"gift.flowers"}'
connection = None


def connected():
    global connection
    if connection is None:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(PATH)
    return connection


def send(key, over=None):
    (over or connected()).sendall(f'POST /v1/payments HTTP/1.1\r\nhost: ari\r\nidempotency-key: {key}\r\ncontent-length: {len(BODY)}\r\n\r\n{BODY}'.encode())


def answer():
    """The code of the answer, or its state."""
    global connection
    text = b''
    while b'\r\n\r\n' not in text:
        piece = connection.recv(65536)
        if not piece:
            return 'closed'
        text += piece
    head, body = text.split(b'\r\n\r\n', 1)
    length = next(int(line.split(b':')[1]) for line in head.lower().split(b'\r\n') if line.startswith(b'content-length'))
    while len(body) < length:
        body += connection.recv(65536)
    if b'connection: close' in head.lower():
        connection = None
    said = json.loads(body)
    return said.get('code') or said.get('state')


def in_child(work, twice=False):
    if os.fork() == 0:
        if not twice or os.fork() == 0:
            work()
        os._exit(0)
    os.wait()


def pay(key):
    send(key)
    return answer()


def fork(key):
    connected()
    in_child(lambda: send(key))
    return answer()


def double_fork(key):
    connected()
    in_child(lambda: send(key), twice=True)
    return answer()


def pass_on(key):
    """Hands the connection to another program over a socket (SCM_RIGHTS), which speaks on it."""
    ours, theirs = socket.socketpair()
    connected()
    other = f"import socket,sys; s=socket.socket(fileno={theirs.fileno()}); _, fds, _, _ = socket.recv_fds(s, 1, 1); socket.socket(fileno=fds[0]).sendall(sys.stdin.buffer.read())"
    import subprocess
    child = subprocess.Popen([sys.executable, '-c', other], stdin=subprocess.PIPE, pass_fds=[theirs.fileno()])
    socket.send_fds(ours, [b'x'], [connection.fileno()])
    child.communicate(f'POST /v1/payments HTTP/1.1\r\nhost: ari\r\nidempotency-key: {key}\r\ncontent-length: {len(BODY)}\r\n\r\n{BODY}'.encode())
    return answer()


def become(executable):
    """Runs itself anew in the same process, with the connection."""
    os.set_inheritable(connected().fileno(), True)
    os.environ['TAKEN'] = str(connection.detach())
    os.execv(executable or sys.executable, [sys.executable, *sys.argv])


def memfd(_):
    """Runs the interpreter from a file that has no name."""
    fd = os.memfd_create('python', 0)
    with open(sys.executable, 'rb') as file:
        os.write(fd, file.read())
    become(f'/proc/self/fd/{fd}')


def load(library):
    ctypes.CDLL(library)
    return 'loaded'


def visit(library):
    """Loads a library and unloads it: its constructor runs, and nothing stays mapped."""
    import _ctypes
    _ctypes.dlclose(ctypes.CDLL(library)._handle)
    return 'visited'


def price(_):
    import prices
    return prices.PRICE


def amount(_):
    return json.loads(BODY)['amount']['amount']


def reuse(key):
    """Ends, and has its child come back under its pid (clone3 with set_tid) to speak on the connection."""
    own = os.getpid()
    connected()
    if os.fork() != 0:
        os._exit(0)
    libc = ctypes.CDLL(None, use_errno=True)
    wanted = (ctypes.c_int32 * 1)(own)
    # struct clone_args (clone(2)): exit_signal is SIGCHLD, set_tid one pid.
    args = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17, 0, 0, 0, ctypes.addressof(wanted), 1, 0)
    for _ in range(500):
        child = libc.syscall(435, ctypes.byref(args), ctypes.sizeof(args))
        if child >= 0:
            break
        time.sleep(0.01)
    if child != 0:
        os.waitpid(child, 0) if child > 0 else print('the pid was not given again', flush=True)
        os._exit(0)
    send(key)
    print(answer() if os.getpid() == own else 'another pid', flush=True)
    os._exit(0)


def enter(pid):
    """Joins the mount namespace of another process."""
    with open(f'/proc/{pid}/ns/mnt') as namespace:
        assert ctypes.CDLL(None).setns(namespace.fileno(), 0x00020000) == 0
    return 'entered'


def executable_memory(_):
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    assert libc.mmap(None, ctypes.c_size_t(4096), 7, 0x22, -1, 0)
    return 'mapped'


def chroot(folder):
    os.chroot(folder)
    return 'rooted'


def namespace(_):
    """Leaves for a mount namespace of its own in which the agent's folder is hidden."""
    libc = ctypes.CDLL(None)
    assert libc.unshare(0x00020000) == 0
    libc.mount(b'none', b'/', None, 0x44000, None)
    assert libc.mount(b'tmpfs', os.path.dirname(os.path.abspath(sys.argv[0])).encode(), b'tmpfs', 0, None) == 0
    return 'moved'


WORDS = {'pay': pay, 'fork': fork, 'double-fork': double_fork, 'pass': pass_on, 'exec': become, 'memfd': memfd, 'load': load, 'memory': executable_memory, 'visit': visit, 'price': price, 'amount': amount, 'reuse': reuse, 'enter': enter, 'chroot': chroot, 'namespace': namespace}

if 'TAKEN' in os.environ:
    connection = socket.socket(fileno=int(os.environ.pop('TAKEN')))
print('ready', flush=True)
for line in sys.stdin:
    word, _, rest = line.rstrip('\n').partition(' ')
    print(WORDS[word](rest), flush=True)
