// SPDX-License-Identifier: AGPL-3.0-or-later
#define _GNU_SOURCE
#include "include/entries.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

int CLinux_status_of(int folder, const char *name, struct CLinux_status *status) {
  struct statx found;
  int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);
  if (statx(folder, name, flags, STATX_BASIC_STATS | STATX_BTIME, &found) < 0) return -1;
  *status = (struct CLinux_status){
      .mode = found.stx_mode,
      .user = found.stx_uid,
      .group = found.stx_gid,
      .links = found.stx_nlink,
      .inode = found.stx_ino,
      .size = found.stx_size,
      .device = makedev(found.stx_dev_major, found.stx_dev_minor),
      .node = makedev(found.stx_rdev_major, found.stx_rdev_minor),
      .access_seconds = found.stx_atime.tv_sec,
      .access_nanoseconds = found.stx_atime.tv_nsec,
      .change_seconds = found.stx_ctime.tv_sec,
      .change_nanoseconds = found.stx_ctime.tv_nsec,
      .modification_seconds = found.stx_mtime.tv_sec,
      .modification_nanoseconds = found.stx_mtime.tv_nsec,
      .birth_seconds = found.stx_btime.tv_sec,
      .birth_nanoseconds = found.stx_btime.tv_nsec,
      .has_birth = (found.stx_mask & STATX_BTIME) != 0,
      // STATX_ATTR_MOUNT_ROOT, which older headers do not have.
      .is_mount_root = (found.stx_attributes & 0x2000) != 0,
  };
  return 0;
}

int CLinux_rename(int folder, const char *name, int other, const char *other_name, unsigned int flags) {
  return renameat2(folder, name, other, other_name, flags);
}

int CLinux_change_mode(int folder, const char *name, uint32_t mode) {
  int file = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return -1;
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  int result = chmod(path, (mode_t)mode);
  int failure = errno;
  close(file);
  errno = failure;
  return result;
}

int CLinux_open_inside(int folder, const char *path) {
  struct open_how how = {
      .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  };
  int result;
  // EAGAIN: something above it was renamed meanwhile, and the kernel cannot tell that the path has not left the folder.
  for (int tries = 0; (result = (int)syscall(__NR_openat2, folder, path, &how, sizeof how)) < 0 && errno == EAGAIN && tries < 100; tries++) {}
  return result;
}

int CLinux_open_entry(int folder, const char *name) {
  // One name, which is not "..", leads out of no folder: without RESOLVE_BENEATH the kernel need not look where it has come.
  struct open_how how = {
      .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
      .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  };
  return (int)syscall(__NR_openat2, folder, name, &how, sizeof how);
}

long CLinux_get_own_attribute(int file, const char *key, void *value, size_t size) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  return getxattr(path, key, value, size);
}

int CLinux_set_own_attribute(int file, const char *key, const void *value, size_t size) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  return setxattr(path, key, value, size, 0);
}

// -1 and ENAMETOOLONG for a name that no file system takes.
static int attribute_path(char *path, size_t size, int folder, const char *name) {
  int length = snprintf(path, size, "/proc/self/fd/%d/%s", folder, name);
  if (length >= 0 && (size_t)length < size) return 0;
  errno = ENAMETOOLONG;
  return -1;
}

long CLinux_get_attribute(int folder, const char *name, const char *key, void *value, size_t size) {
  char path[PATH_MAX];
  return attribute_path(path, sizeof path, folder, name) < 0 ? -1 : lgetxattr(path, key, value, size);
}

int CLinux_has_attribute(int folder, const char *name, const char *key) {
  // getxattrat(2), which headers do not have yet: a third of the time, for no path by /proc is looked up. It refuses descriptors of O_PATH
  // themselves. Its number is the same on all architectures.
  struct {
    uint64_t value;
    uint32_t size, flags;
  } none = {0, 0, 0};
  long size = syscall(464, folder, name, AT_SYMLINK_NOFOLLOW, key, &none, sizeof none);
  // An older kernel, or a filter of system calls that does not know it.
  if (size < 0 && (errno == ENOSYS || errno == EPERM)) size = CLinux_get_attribute(folder, name, key, NULL, 0);
  if (size >= 0) return 1;
  return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -1;
}

int CLinux_set_attribute(int folder, const char *name, const char *key, const void *value, size_t size) {
  char path[PATH_MAX];
  return attribute_path(path, sizeof path, folder, name) < 0 ? -1 : lsetxattr(path, key, value, size, 0);
}

int CLinux_remove_attribute(int folder, const char *name, const char *key) {
  char path[PATH_MAX];
  return attribute_path(path, sizeof path, folder, name) < 0 ? -1 : lremovexattr(path, key);
}

long CLinux_list_attributes(int folder, const char *name, char *keys, size_t size) {
  char path[PATH_MAX];
  return attribute_path(path, sizeof path, folder, name) < 0 ? -1 : llistxattr(path, keys, size);
}

int CLinux_open_handle(int folder, int type, const void *handle, unsigned int length) {
  struct {
    struct file_handle head;
    unsigned char bytes[MAX_HANDLE_SZ];
  } given = {.head = {.handle_bytes = length, .handle_type = type}};
  if (length > MAX_HANDLE_SZ) {
    errno = EINVAL;
    return -1;
  }
  memcpy(given.head.f_handle, handle, length);
  int mount = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (mount < 0) return -1;
  int file = open_by_handle_at(mount, &given.head, O_PATH | O_CLOEXEC);
  int failure = errno;
  close(mount);
  errno = failure;
  return file;
}

long CLinux_copy_range(int from, int to, int64_t *offset, size_t count) {
  loff_t source = *offset, target = *offset;
  ssize_t copied = copy_file_range(from, &source, to, &target, count, 0);
  if (copied > 0) *offset += copied;
  return copied;
}

int CLinux_is_overlay(int descriptor) {
  struct statfs status;
  if (fstatfs(descriptor, &status) < 0) return -1;
  return status.f_type == OVERLAYFS_SUPER_MAGIC;
}

int CLinux_sync_file_system(int descriptor) { return syncfs(descriptor); }
