// SPDX-License-Identifier: AGPL-3.0-or-later
#define _GNU_SOURCE
#include "include/mounts.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

// After sys/mount.h, which in older versions of libc declares as an enumeration what these define as macros.
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/openat2.h>

int CLinux_unshare_mounts(void) { return unshare(CLONE_NEWNS); }

int CLinux_clone_tree(int descriptor, int recursively) {
  unsigned int flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | (recursively ? AT_RECURSIVE : 0);
  return (int)syscall(__NR_open_tree, descriptor, "", flags);
}

int CLinux_attach_tree(int tree, const char *path) {
  return (int)syscall(__NR_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

int CLinux_attach_tree_over(int tree, int target) {
  return (int)syscall(__NR_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int CLinux_set_group(int from, int to) {
  unsigned int flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | MOVE_MOUNT_SET_GROUP;
  return (int)syscall(__NR_move_mount, from, "", to, "", flags);
}

int CLinux_make_private(const char *mount_point) { return mount(NULL, mount_point, NULL, MS_PRIVATE, NULL); }

int CLinux_make_slave(const char *mount_point) { return mount(NULL, mount_point, NULL, MS_SLAVE, NULL); }

int CLinux_make_tree_private(const char *mount_point) { return mount(NULL, mount_point, NULL, MS_PRIVATE | MS_REC, NULL); }

int CLinux_detach(const char *mount_point) { return umount2(mount_point, MNT_DETACH); }

int CLinux_bind(const char *source, const char *target) { return mount(source, target, NULL, MS_BIND, NULL); }

int CLinux_mount_memory(const char *target, const char *options) {
  return mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options);
}

int CLinux_forbid_links(const char *mount_point) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSYMFOLLOW};
  return (int)syscall(__NR_mount_setattr, AT_FDCWD, mount_point, 0, &attributes, sizeof attributes);
}

int CLinux_map_ids(int tree, int user_namespace, int recursively) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .propagation = MS_PRIVATE, .userns_fd = (uint64_t)user_namespace};
  return (int)syscall(__NR_mount_setattr, tree, "", AT_EMPTY_PATH | (recursively ? AT_RECURSIVE : 0), &attributes, sizeof attributes);
}

int CLinux_leave_peers(int tree) {
  struct mount_attr attributes = {.propagation = MS_SLAVE};
  return (int)syscall(__NR_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes);
}

int CLinux_set_attributes(int tree, uint64_t set, uint64_t clear, int becomes_private) {
  struct mount_attr attributes = {.attr_set = set, .attr_clr = clear, .propagation = becomes_private ? MS_PRIVATE : 0};
  return (int)syscall(__NR_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
}

int CLinux_allow_changes(int file) {
  int flags = 0;
  if (ioctl(file, FS_IOC_GETFLAGS, &flags) < 0) return -1;
  flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
  return ioctl(file, FS_IOC_SETFLAGS, &flags);
}

int CLinux_open_in_root(int root, const char *path) {
  // RESOLVE_IN_ROOT forbids magic links, too.
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
  return (int)syscall(__NR_openat2, root, path, &how, sizeof how);
}

int CLinux_open_beneath(int folder, const char *path) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  int result;
  // EAGAIN: something above it was renamed meanwhile, and the kernel cannot tell that the path has not left the folder.
  for (int tries = 0; (result = (int)syscall(__NR_openat2, folder, path, &how, sizeof how)) < 0 && errno == EAGAIN && tries < 100; tries++) {}
  return result;
}

int CLinux_birth_time(const char *path, int64_t *seconds, uint32_t *nanoseconds) {
  struct statx status;
  if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &status) < 0) return -1;
  if (!(status.stx_mask & STATX_BTIME)) {
    errno = EOPNOTSUPP;
    return -1;
  }
  *seconds = status.stx_btime.tv_sec;
  *nanoseconds = status.stx_btime.tv_nsec;
  return 0;
}
