"""An agent that buys flowers, remembers what it was told, and tries what is not its own. Takes a line, answers a line."""
import json
import socket
import sys
import threading

PATH = sys.argv[1]
ORDER = {'payee': {'id': 'florist', 'origin': 'https://flowers.example'}, 'amount': {'amount': 100, 'currency': 'CNY'}, 'order': {'ref': 'A'}, 'task_id': 'birthday', 'scenario': 'gift.flowers'}
answers = {}
events = []


def request(method, path, body='', headers=''):
    """One exchange on a connection of its own: the answer as JSON."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(PATH)
    connection.sendall(f'{method} {path} HTTP/1.1\r\nhost: ari\r\nconnection: close\r\n{headers}content-length: {len(body)}\r\n\r\n{body}'.encode())
    text = b''.join(iter(lambda: connection.recv(65536), b''))
    return json.loads(text.split(b'\r\n\r\n', 1)[1])


def outcome(said):
    return said.get('code') or said.get('state') or 'answered'


def pay(key, **more):
    answers[key] = request('POST', '/v1/payments', json.dumps({**ORDER, **more}), f'idempotency-key: {key}\r\n')
    return outcome(answers[key])


def under(mandate_and_key):
    mandate, key = mandate_and_key.split(' ')
    return pay(key, mandate_id=mandate)


def listen(_):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(PATH)
    connection.sendall(b'GET /v1/events HTTP/1.1\r\nhost: ari\r\ncontent-length: 0\r\n\r\n')
    events.append(connection.recv(65536).decode())
    threading.Thread(target=lambda: [events.append(part.decode()) for part in iter(lambda: connection.recv(65536), b'')], daemon=True).start()
    return 'listening'


WORDS = {
    'pay': pay,
    'under': under,
    'why': lambda key: answers[key]['detail'],
    'id': lambda key: answers[key].get('payment_id') or answers[key]['payment']['payment_id'],
    'get': lambda path: outcome(request('GET', path)),
    'listen': listen,
    'heard': lambda _: json.dumps(events),
}

print('ready', flush=True)
for line in sys.stdin:
    word, _, rest = line.rstrip('\n').partition(' ')
    print(WORDS[word](rest), flush=True)
