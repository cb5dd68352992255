# An agent in a shell. It cannot open a unix socket, and a helper that did would be another process: it speaks on the connection that `ari run` handed over.
body='{"payee":{"id":"florist","origin":"https://flowers.example"},"amount":{"amount":100,"currency":"CNY"},"order":{"ref":"A"},"task_id":"birthday","scenario":"gift.flowers"}'
echo ready
while read -r word key; do
  printf 'POST /v1/payments HTTP/1.1\r\nhost: ari\r\nidempotency-key: %s\r\ncontent-length: %s\r\n\r\n%s' "$key" "${#body}" "$body" >&"$ARI_SOCKET_FD"
  length=0
  while IFS= read -r line <&"$ARI_SOCKET_FD" && [ "$line" != $'\r' ]; do
    case "${line,,}" in content-length:*) length="${line##*: }"; length="${length%$'\r'}" ;; esac
  done
  LC_ALL=C read -r -N "$length" answer <&"$ARI_SOCKET_FD"
  [[ $answer =~ \"code\":\"([^\"]*)\" || $answer =~ \"state\":\"([^\"]*)\" ]] && echo "${BASH_REMATCH[1]}"
done
