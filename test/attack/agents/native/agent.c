/* An agent without an interpreter: a line with a key in, the code or state of the answer out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const BODY = "{\"payee\":{\"id\":\"florist\",\"origin\":\"https://flowers.example\"},\"amount\":{\"amount\":100,\"currency\":\"CNY\"},\"order\":{\"ref\":\"A\"},\"task_id\":\"birthday\",\"scenario\":\"gift.flowers\"}";

static int ask(const char *path, const char *key, char *answer, size_t size) {
  struct sockaddr_un to = { .sun_family = AF_UNIX };
  char request[2048];
  size_t had = 0;
  ssize_t got;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) return -1;
  int length = snprintf(request, sizeof request, "POST /v1/payments HTTP/1.1\r\nhost: ari\r\nconnection: close\r\nidempotency-key: %s\r\ncontent-length: %zu\r\n\r\n%s", key, strlen(BODY), BODY);
  if (write(fd, request, length) != length) return -1;
  while (had + 1 < size && (got = read(fd, answer + had, size - had - 1)) > 0) had += got;
  answer[had] = 0;
  close(fd);
  return 0;
}

static char *member(char *text, const char *name) {
  char wanted[32];
  snprintf(wanted, sizeof wanted, "\"%s\":\"", name);
  char *at = strstr(text, wanted);
  if (at == NULL) return NULL;
  at += strlen(wanted);
  *strchr(at, '"') = 0;
  return at;
}

int main(int argc, char **argv) {
  char line[256], *answer = malloc(1 << 20), *said;
  if (argc < 2) return 2;
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    char *key = strchr(line, ' ');
    line[strcspn(line, "\n")] = 0;
    if (ask(argv[1], key ? key + 1 : line, answer, 1 << 20) != 0) said = "unreachable";
    else if ((said = member(answer, "code")) == NULL) said = member(answer, "state");
    puts(said ? said : "unreadable");
    fflush(stdout);
  }
  return 0;
}
