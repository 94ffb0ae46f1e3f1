// SPDX-License-Identifier: AGPL-3.0-or-later
// Makes id-mapped mounts by nothing but the kernel's calls, and prints how long that took: what a plugin adds is measured against this.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: bare-idmap COUNT SOURCE PLACE\n"
    "  Shows SOURCE at PLACE, COUNT times one after another, with the ids 0 and 1000 exchanged. Prints nanoseconds, a line each.\n";

static const char map[] = "0 1000 1\n1 1 999\n1000 0 1\n1001 1001 4294966294\n";

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int failed(const char *call) {
  perror(call);
  return -1;
}

static int write_map(pid_t process, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", process, name);
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return failed(path);
  ssize_t written = write(file, map, sizeof map - 1);
  close(file);
  return written < 0 ? failed(path) : 0;
}

// Returns the descriptor of a user namespace without a process in it.
static int user_namespace(void) {
  pid_t child = (pid_t)syscall(__NR_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child < 0) return failed("clone");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/user", child);
  int space = write_map(child, "uid_map") < 0 || write_map(child, "gid_map") < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  return space;
}

static int map_mount(const char *source, const char *place) {
  int space = user_namespace();
  if (space < 0) return -1;
  int tree = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree < 0) return failed("open_tree");
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)space};
  if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) < 0) return failed("mount_setattr");
  if (move_mount(tree, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0) return failed("move_mount");
  close(tree);
  close(space);
  return 0;
}

int main(int count, char **words) {
  if (count != 4) return fputs(usage, stderr), 2;
  for (int i = atoi(words[1]); i > 0; i--) {
    long long start = now();
    if (map_mount(words[2], words[3]) < 0) return 1;
    printf("%lld\n", now() - start);
    if (umount2(words[3], MNT_DETACH) < 0) return failed("umount2"), 1;
  }
  return 0;
}
