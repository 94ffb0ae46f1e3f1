// SPDX-License-Identifier: AGPL-3.0-or-later
// The client of the benchmarks: plain blocking calls on a UNIX socket, so that what is measured is the server.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: load call SOCKET PATH BODY            one call; prints the body of its answer\n"
    "       load each SOCKET PATH BODY COUNT      COUNT calls one after another on one connection\n"
    "       load together SOCKET PATH BODY COUNT  COUNT calls at once, a connection each\n"
    "       load start SOCKET PROGRAM ARGUMENT... start a server, and stop it when it has answered /Plugin.Activate\n"
    "  Every %d in BODY stands for the number of the call. Prints nanoseconds:\n"
    "  each: p50 NS p99 NS    together: all NS    start: answer NS\n";

enum { largest_answer = 4 << 20, largest_request = 4096, most_connections = 1024 };

static char answer[largest_answer];

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "load: %s: %s\n", what, detail);
  exit(1);
}

static int try_to_connect(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) fail(path, "too long for a socket's path");
  strcpy(address.sun_path, path);
  int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s < 0) fail("socket", strerror(errno));
  if (connect(s, (struct sockaddr *)&address, sizeof address) == 0) return s;
  int failure = errno;
  close(s);
  errno = failure;
  return -1;
}

static int connected(const char *path) {
  int s = try_to_connect(path);
  if (s < 0) fail(path, strerror(errno));
  return s;
}

// The headers are those of dockerd.
static size_t make_request(char *request, const char *path, const char *body, int number) {
  char text[largest_request];
  const char *mark = strstr(body, "%d");
  if (mark == NULL) snprintf(text, sizeof text, "%s", body);
  else snprintf(text, sizeof text, "%.*s%d%s", (int)(mark - body), body, number, mark + 2);
  int size = snprintf(request, largest_request,
                      "POST %s HTTP/1.1\r\nHost: plugin.moby.localhost\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: %zu\r\n"
                      "Accept: application/vnd.docker.plugins.v1.2+json\r\n\r\n%s",
                      path, strlen(text), text);
  if (size >= largest_request) fail(path, "the request is too long");
  return (size_t)size;
}

static void send_request(int s, const char *request, size_t size) {
  while (size > 0) {
    ssize_t n = send(s, request, size, MSG_NOSIGNAL);
    if (n < 0) fail("send", strerror(errno));
    request += n;
    size -= (size_t)n;
  }
}

// Reads one whole answer. Returns its body, and its status in *status.
static char *read_answer(int s, int *status) {
  size_t have = 0, need = 0;
  char *body = NULL;
  while (body == NULL || have < need) {
    if (have == largest_answer - 1) fail("answer", "longer than expected");
    ssize_t n = recv(s, answer + have, largest_answer - 1 - have, 0);
    if (n <= 0) fail("answer", n == 0 ? "the server closed the connection" : strerror(errno));
    have += (size_t)n;
    answer[have] = 0;
    if (body == NULL && (body = strstr(answer, "\r\n\r\n")) != NULL) {
      body += 4;
      char *length = strcasestr(answer, "\r\nContent-Length:");
      if (length == NULL || length > body) fail("answer", "without Content-Length");
      need = (size_t)(body - answer) + strtoul(length + 17, NULL, 10);
    }
  }
  if (sscanf(answer, "HTTP/1.%*d %d", status) != 1) fail("answer", "not HTTP/1.1");
  return body;
}

static void read_success(int s, const char *path) {
  int status;
  char *body = read_answer(s, &status);
  if (status != 200) fail(path, body);
}

static int by_size(const void *a, const void *b) {
  long long x = *(const long long *)a, y = *(const long long *)b;
  return (x > y) - (x < y);
}

static void each(const char *socket_path, const char *path, const char *body, int count) {
  long long *times = calloc((size_t)count, sizeof *times);
  char request[largest_request];
  int s = connected(socket_path);
  for (int i = 0; i < count; i++) {
    size_t size = make_request(request, path, body, i);
    long long start = now();
    send_request(s, request, size);
    read_success(s, path);
    times[i] = now() - start;
  }
  qsort(times, (size_t)count, sizeof *times, by_size);
  printf("p50 %lld p99 %lld\n", times[count / 2], times[(long long)count * 99 / 100]);
}

static void together(const char *socket_path, const char *path, const char *body, int count) {
  static char requests[most_connections][largest_request];
  static size_t sizes[most_connections];
  static struct pollfd polls[most_connections];
  for (int i = 0; i < count; i++) {
    polls[i] = (struct pollfd){connected(socket_path), POLLIN, 0};
    sizes[i] = make_request(requests[i], path, body, i);
  }
  long long start = now();
  for (int i = 0; i < count; i++) send_request(polls[i].fd, requests[i], sizes[i]);
  for (int left = count; left > 0;) {
    if (poll(polls, (nfds_t)count, -1) < 0) fail("poll", strerror(errno));
    for (int i = 0; i < count; i++) {
      if (polls[i].fd < 0 || polls[i].revents == 0) continue;
      read_success(polls[i].fd, path);
      polls[i].fd = -1;
      left--;
    }
  }
  printf("all %lld\n", now() - start);
}

static pid_t server;

static void stop_server(void) {
  if (server > 0) kill(server, SIGKILL);
}

static void start(const char *socket_path, char **command) {
  // Without this a sleep takes 50 us longer than asked for.
  prctl(PR_SET_TIMERSLACK, 1);
  char request[largest_request];
  size_t size = make_request(request, "/Plugin.Activate", "", 0);
  long long begin = now();
  int failure = posix_spawn(&server, command[0], NULL, NULL, command, environ), s;
  if (failure != 0) fail(command[0], strerror(failure));
  atexit(stop_server);
  while ((s = try_to_connect(socket_path)) < 0) {
    if (errno != ENOENT && errno != ECONNREFUSED) fail(socket_path, strerror(errno));
    if (waitpid(server, NULL, WNOHANG) == server) {
      server = 0;
      fail(command[0], "ended without answering");
    }
    if (now() - begin > 10000000000LL) fail(command[0], "did not answer within 10 s");
    nanosleep(&(struct timespec){0, 20000}, NULL);
  }
  send_request(s, request, size);
  read_success(s, "/Plugin.Activate");
  printf("answer %lld\n", now() - begin);
  close(s);
  kill(server, SIGTERM);
  for (int i = 0; waitpid(server, NULL, WNOHANG) == 0; i++) {
    if (i == 10000) fail(command[0], "did not end within 10 s of SIGTERM");
    usleep(1000);
  }
  server = 0;
}

int main(int count, char **arguments) {
  const char *verb = count > 1 ? arguments[1] : "";
  if (strcmp(verb, "start") == 0 && count >= 4) {
    start(arguments[2], arguments + 3);
  } else if (strcmp(verb, "call") == 0 && count == 5) {
    char request[largest_request];
    int s = connected(arguments[2]), status;
    send_request(s, request, make_request(request, arguments[3], arguments[4], 0));
    char *body = read_answer(s, &status);
    if (status != 200) fail(arguments[3], body);
    puts(body);
  } else if (strcmp(verb, "each") == 0 && count == 6 && atoi(arguments[5]) > 0) {
    each(arguments[2], arguments[3], arguments[4], atoi(arguments[5]));
  } else if (strcmp(verb, "together") == 0 && count == 6 && atoi(arguments[5]) > 0 && atoi(arguments[5]) <= most_connections) {
    together(arguments[2], arguments[3], arguments[4], atoi(arguments[5]));
  } else {
    fputs(usage, stderr);
    return 2;
  }
}
