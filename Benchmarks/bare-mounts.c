// SPDX-License-Identifier: AGPL-3.0-or-later
// Mounts and unmounts by nothing but the kernel's calls, and prints how long that took: what a volume plugin adds is measured
// against this. Places are FOLDER/0, FOLDER/1, …; they are made and removed here, outside the time that is printed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: bare-mounts --type TYPE --source SOURCE [--option KEY[=VALUE]]... [--attribute NAME]...\n"
    "                   [--count N] [--at-once processes|threads] [--show] FOLDER\n"
    "  Every %d in SOURCE stands for the number of the place. Prints, in nanoseconds,\n"
    "  one after another:  mount NS unmount NS   for each place\n"
    "  at once:            mount NS unmount NS   once, from before the first call until after the last\n"
    "  With --show, also what the mount table says of each place: mounted TYPE OPTIONS SUPERBLOCK-OPTIONS\n";

static const struct { const char *name; unsigned flag; } attribute_names[] = {
    {"ro", MOUNT_ATTR_RDONLY}, {"nosuid", MOUNT_ATTR_NOSUID}, {"nodev", MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC}, {"noatime", MOUNT_ATTR_NOATIME}, {"nodiratime", MOUNT_ATTR_NODIRATIME},
};

enum { longest = 4096, most_options = 64, most_places = 4096 };

static const char *type, *source, *folder;
static char *options[most_options];
static int option_count;
static unsigned attributes;

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void numbered(char *result, const char *pattern, int number) {
  const char *mark = strstr(pattern, "%d");
  if (mark == NULL) snprintf(result, longest, "%s", pattern);
  else snprintf(result, longest, "%.*s%d%s", (int)(mark - pattern), pattern, number, mark + 2);
}

static void place(char *result, int number) { snprintf(result, longest, "%s/%d", folder, number); }

static int failed(const char *call, const char *what) {
  fprintf(stderr, "bare-mounts: %s %s: %s\n", call, what, strerror(errno));
  return -1;
}

// Returns 0, or -1 when it has said what went wrong.
static int mount_place(int number) {
  char from[longest], to[longest];
  numbered(from, source, number);
  place(to, number);
  int context = fsopen(type, FSOPEN_CLOEXEC);
  if (context < 0) return failed("fsopen", type);
  int status = fsconfig(context, FSCONFIG_SET_STRING, "source", from, 0);
  for (int i = 0; i < option_count && status == 0; i++) {
    char key[longest], *value;
    snprintf(key, sizeof key, "%s", options[i]);
    if ((value = strchr(key, '=')) != NULL) *value++ = 0;
    status = fsconfig(context, value != NULL ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0);
    if (status < 0) failed("fsconfig", options[i]);
  }
  if (status == 0 && (status = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0)) < 0) failed("fsconfig", from);
  int mount = status < 0 ? -1 : fsmount(context, FSMOUNT_CLOEXEC, attributes);
  if (status == 0 && mount < 0) status = failed("fsmount", from);
  if (status == 0 && (status = move_mount(mount, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH)) < 0) failed("move_mount", to);
  if (mount >= 0) close(mount);
  close(context);
  return status;
}

static int unmount_place(int number) {
  char at[longest];
  place(at, number);
  return umount2(at, UMOUNT_NOFOLLOW) < 0 ? failed("umount2", at) : 0;
}

struct work {
  int (*call)(int);
  int number;
};

static void *in_thread(void *argument) {
  struct work *work = argument;
  return (void *)(long)work->call(work->number);
}

// Makes a call for each place, all at once. Returns the time for all of them, or -1.
static long long at_once(int threads, int (*call)(int), int count) {
  static pthread_t thread[most_places];
  static struct work work[most_places];
  static pid_t process[most_places];
  int failures = 0;
  long long start = now();
  for (int i = 0; i < count; i++) {
    work[i] = (struct work){call, i};
    if (threads) {
      if ((errno = pthread_create(&thread[i], NULL, in_thread, &work[i])) != 0) return failed("pthread_create", "");
    } else if ((process[i] = fork()) == 0) {
      _exit(call(i) < 0);
    } else if (process[i] < 0) {
      return failed("fork", "");
    }
  }
  for (int i = 0; i < count; i++) {
    void *result = NULL;
    int status = 0;
    if (threads) pthread_join(thread[i], &result);
    else waitpid(process[i], &status, 0);
    if (result != NULL || status != 0) failures++;
  }
  long long time = now() - start;
  return failures > 0 ? -1 : time;
}

// So that others can check that they measure the same kind of mount.
static void show_place(int number) {
  char at[longest], path[longest], options[longest], kind[longest], superblock[longest], *line = NULL;
  size_t room = 0;
  place(at, number);
  FILE *table = fopen("/proc/self/mountinfo", "re");
  while (table != NULL && getline(&line, &room, table) > 0) {
    char *rest = strstr(line, " - ");
    if (rest == NULL || sscanf(line, "%*s %*s %*s %*s %4095s %4095s", path, options) != 2 || strcmp(path, at) != 0) continue;
    if (sscanf(rest, " - %4095s %*s %4095s", kind, superblock) == 2) printf("mounted %s %s %s\n", kind, options, superblock);
  }
  free(line);
  if (table != NULL) fclose(table);
}

static int one_after_another(int count, int show) {
  for (int i = 0; i < count; i++) {
    long long start = now();
    if (mount_place(i) < 0) return -1;
    long long mounted = now();
    if (show) show_place(i);
    long long shown = now();
    if (unmount_place(i) < 0) return -1;
    printf("mount %lld unmount %lld\n", mounted - start, now() - shown);
  }
  return 0;
}

static int all_at_once(int threads, int count) {
  long long mounting = at_once(threads, mount_place, count), unmounting = -1;
  if (mounting >= 0) unmounting = at_once(threads, unmount_place, count);
  if (unmounting < 0) return -1;
  printf("mount %lld unmount %lld\n", mounting, unmounting);
  return 0;
}

int main(int argument_count, char **arguments) {
  static const struct option names[] = {{"type", 1, 0, 't'},  {"source", 1, 0, 's'},  {"option", 1, 0, 'o'}, {"attribute", 1, 0, 'a'},
                                        {"count", 1, 0, 'n'}, {"at-once", 1, 0, 'c'}, {"show", 0, 0, 'w'},   {0, 0, 0, 0}};
  int count = 1, parallel = 0, threads = 0, show = 0, letter;
  while ((letter = getopt_long(argument_count, arguments, "", names, NULL)) != -1) {
    size_t known = 0;
    switch (letter) {
      case 't': type = optarg; break;
      case 's': source = optarg; break;
      case 'o':
        if (option_count == most_options) return fputs(usage, stderr), 2;
        options[option_count++] = optarg;
        break;
      case 'a':
        while (known < sizeof attribute_names / sizeof *attribute_names && strcmp(attribute_names[known].name, optarg) != 0) known++;
        if (known == sizeof attribute_names / sizeof *attribute_names) return fprintf(stderr, "bare-mounts: unknown attribute %s\n", optarg), 2;
        attributes |= attribute_names[known].flag;
        break;
      case 'n': count = atoi(optarg); break;
      case 'w': show = 1; break;
      case 'c':
        parallel = 1;
        threads = strcmp(optarg, "threads") == 0;
        if (!threads && strcmp(optarg, "processes") != 0) return fputs(usage, stderr), 2;
        break;
      default: return fputs(usage, stderr), 2;
    }
  }
  if (type == NULL || source == NULL || optind != argument_count - 1 || count < 1 || count > most_places) return fputs(usage, stderr), 2;
  folder = arguments[optind];
  char path[longest];
  for (int i = 0; i < count; i++) {
    place(path, i);
    if (mkdir(path, 0700) < 0 && errno != EEXIST) return failed("mkdir", path), 1;
  }
  int status = parallel ? all_at_once(threads, count) : one_after_another(count, show);
  for (int i = 0; i < count; i++) {
    place(path, i);
    if (status < 0) umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    rmdir(path);
  }
  return status < 0;
}
