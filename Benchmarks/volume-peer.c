// SPDX-License-Identifier: AGPL-3.0-or-later
// The volume plugin that docker-nfsd is measured against: the same calls by libmicrohttpd and jansson, with a table in memory
// and no mounts. Written as a C programmer would who wants it small and right; not tuned beyond what the libraries' manuals say.
// usage: volume-peer SOCKET
#define _GNU_SOURCE
#include <jansson.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MEDIA_TYPE "application/vnd.docker.plugins.v1.2+json"

// Name to {"Name", "Mountpoint", "CreatedAt", "Status"}, as Get and List answer; the Status has the members of docker-nfsd's.
// Only the library's one thread uses it.
static json_t *volumes;

static json_t *failure(unsigned *status, unsigned code, const char *text) {
  *status = code;
  return json_pack("{s:s}", "Err", text);
}

static json_t *create(const char *name, json_t *options, unsigned *status) {
  json_t *known = json_object_get(volumes, name);
  if (known != NULL) {
    if (json_equal(json_object_get(json_object_get(known, "Status"), "requested"), options)) return json_pack("{s:s}", "Err", "");
    return failure(status, MHD_HTTP_INTERNAL_SERVER_ERROR, "the volume exists with other options");
  }
  const char *server = json_string_value(json_object_get(options, "server")), *path = json_string_value(json_object_get(options, "path"));
  if (server == NULL || path == NULL)
    return failure(status, MHD_HTTP_INTERNAL_SERVER_ERROR, "the options server and path are needed");
  char created[32];
  time_t now = time(NULL);
  struct tm parts;
  strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
  json_t *state = json_pack("{s:s, s:o, s:O, s:s, s:i, s:[]}", "state", "not mounted", "source", json_sprintf("%s:%s", server, path),
                            "requested", options, "effective", "", "references", 0, "heldBy");
  json_object_set_new(volumes, name,
                      json_pack("{s:s, s:s, s:s, s:o}", "Name", name, "Mountpoint", "", "CreatedAt", created, "Status", state));
  return json_pack("{s:s}", "Err", "");
}

static json_t *list(void) {
  json_t *array = json_array(), *volume;
  const char *name;
  json_object_foreach(volumes, name, volume) json_array_append(array, volume);
  return json_pack("{s:o, s:s}", "Volumes", array, "Err", "");
}

static json_t *mount_point(const char *name, json_t *volume, int mounted) {
  json_t *text = mounted ? json_sprintf("/mnt/%s", name) : json_string("");
  json_object_set_new(volume, "Mountpoint", text);
  return json_pack("{s:O, s:s}", "Mountpoint", text, "Err", "");
}

static json_t *handle(const char *url, const char *body, size_t size, unsigned *status) {
  *status = MHD_HTTP_OK;
  if (strcmp(url, "/Plugin.Activate") == 0) return json_pack("{s:[s]}", "Implements", "VolumeDriver");
  if (strcmp(url, "/VolumeDriver.Capabilities") == 0) return json_pack("{s:{s:s}}", "Capabilities", "Scope", "local");
  if (strcmp(url, "/VolumeDriver.List") == 0) return list();
  json_error_t error;
  json_t *request = json_loadb(body, size, JSON_REJECT_DUPLICATES, &error), *answer, *volume;
  const char *name = json_string_value(json_object_get(request, "Name"));
  if (name == NULL || *name == 0) {
    answer = failure(status, MHD_HTTP_BAD_REQUEST, request == NULL ? error.text : "the member Name is missing");
  } else if (strcmp(url, "/VolumeDriver.Create") == 0) {
    answer = create(name, json_object_get(request, "Opts"), status);
  } else if ((volume = json_object_get(volumes, name)) == NULL) {
    answer = failure(status, MHD_HTTP_INTERNAL_SERVER_ERROR, "no such volume");
  } else if (strcmp(url, "/VolumeDriver.Get") == 0) {
    answer = json_pack("{s:O, s:s}", "Volume", volume, "Err", "");
  } else if (strcmp(url, "/VolumeDriver.Path") == 0) {
    answer = json_pack("{s:O, s:s}", "Mountpoint", json_object_get(volume, "Mountpoint"), "Err", "");
  } else if (strcmp(url, "/VolumeDriver.Mount") == 0) {
    answer = mount_point(name, volume, 1);
  } else if (strcmp(url, "/VolumeDriver.Unmount") == 0) {
    json_decref(mount_point(name, volume, 0));
    answer = json_pack("{s:s}", "Err", "");
  } else if (strcmp(url, "/VolumeDriver.Remove") == 0) {
    json_object_del(volumes, name);
    answer = json_pack("{s:s}", "Err", "");
  } else {
    answer = failure(status, MHD_HTTP_NOT_FOUND, "no such call");
  }
  json_decref(request);
  return answer;
}

struct body {
  char *bytes;
  size_t size;
};

static enum MHD_Result on_request(void *unused, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **state) {
  (void)unused, (void)version;
  struct body *body = *state;
  if (body == NULL) return (*state = calloc(1, sizeof *body)) != NULL ? MHD_YES : MHD_NO;
  if (*size > 0) {
    char *bytes = realloc(body->bytes, body->size + *size);
    if (bytes == NULL) return MHD_NO;
    memcpy(bytes + body->size, data, *size);
    body->bytes = bytes;
    body->size += *size;
    *size = 0;
    return MHD_YES;
  }
  unsigned status;
  json_t *answer = strcmp(method, MHD_HTTP_METHOD_POST) == 0
                       ? handle(url, body->bytes == NULL ? "" : body->bytes, body->size, &status)
                       : failure(&status, MHD_HTTP_METHOD_NOT_ALLOWED, "every call is a POST");
  char *text = json_dumps(answer, JSON_COMPACT);
  json_decref(answer);
  struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, MEDIA_TYPE);
  enum MHD_Result result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

static void on_end(void *unused, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code) {
  (void)unused, (void)connection, (void)code;
  struct body *body = *state;
  if (body != NULL) free(body->bytes);
  free(body);
}

int main(int count, char **arguments) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (count != 2 || strlen(arguments[1]) >= sizeof address.sun_path) return fprintf(stderr, "usage: volume-peer SOCKET\n"), 2;
  strcpy(address.sun_path, arguments[1]);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  volumes = json_object();
  unlink(address.sun_path);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, SOMAXCONN) < 0)
    return perror(address.sun_path), 1;
  struct MHD_Daemon *daemon =
      MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, NULL, MHD_OPTION_LISTEN_SOCKET,
                       listener, MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
  if (daemon == NULL) return fprintf(stderr, "volume-peer: cannot start the HTTP server on %s\n", address.sun_path), 1;
  int number;
  sigwait(&signals, &number);
  MHD_stop_daemon(daemon);
  unlink(address.sun_path);
  return 0;
}
