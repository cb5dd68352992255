"""An agent that can misbehave: connects to the socket it is given, then does what each line of its input says. Answers one line."""
import os
import socket
import sys

path = sys.argv[1]
connection = socket.socket(fileno=int(sys.argv[2])) if len(sys.argv) > 2 else socket.socket(socket.AF_UNIX)
if len(sys.argv) <= 2:
    connection.connect(path)
connection.settimeout(10)


def request(line, key='idempotency-key: key-1\r\n'):
    method, target, *rest = line.split(' ', 2)
    body = rest[0].encode() if rest else b''
    head = f'{method} {target} HTTP/1.1\r\nhost: ari\r\n{key}content-length: {len(body)}\r\n\r\n'
    return head.encode() + body


def answer():
    text = b''
    while b'\r\n\r\n' not in text:
        piece = connection.recv(65536)
        if not piece:
            return 'closed'
        text += piece
    head, body = text.split(b'\r\n\r\n', 1)
    length = next(int(h.split(b':')[1]) for h in head.lower().split(b'\r\n') if h.startswith(b'content-length'))
    while len(body) < length:
        body += connection.recv(65536)
    return head.split(b' ')[1].decode() + ' ' + body.decode().replace('\n', ' ')


def run(word, rest):
    if word == 'request':
        connection.sendall(request(rest))
        return answer()
    if word == 'keyless':
        connection.sendall(request(rest, ''))
        return answer()
    if word == 'child':
        if os.fork() == 0:
            connection.sendall(request(rest))
            os._exit(0)
        os.wait()
        return answer()
    if word == 'half':
        parts = request(rest)
        connection.sendall(parts[:20])
        if os.fork() == 0:
            connection.sendall(parts[20:])
            os._exit(0)
        os.wait()
        return answer()
    if word == 'heir':
        child = os.fork()
        if child == 0:
            return f'heir {os.getpid()}'
        os._exit(0)
    if word == 'map':
        import ctypes
        ctypes.CDLL(rest)
        return 'mapped'
    if word == 'anonymous':
        import ctypes
        libc = ctypes.CDLL(None)
        libc.mmap.restype = ctypes.c_void_p
        readable_writable_executable, private_anonymous = 7, 0x22
        assert libc.mmap(None, ctypes.c_size_t(4096), readable_writable_executable, private_anonymous, -1, 0)
        return 'mapped'
    os.set_inheritable(connection.fileno(), True)
    os.execv(rest or sys.executable, [rest or sys.executable, sys.argv[0], path, str(connection.detach())])


print('ready', os.getpid(), flush=True)
for line in sys.stdin:
    word, _, rest = line.rstrip('\n').partition(' ')
    print(run(word, rest), flush=True)
