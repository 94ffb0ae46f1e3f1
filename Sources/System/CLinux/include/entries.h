// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What is in a folder, by the folder's descriptor and a name: calls that libc has since 2.28 only, or shows with _GNU_SOURCE only, or
// that the kernel has for paths alone. No symbolic link is followed. All set errno.

#ifndef CLINUX_ENTRIES_H
#define CLINUX_ENTRIES_H

#include <stddef.h>
#include <stdint.h>

struct CLinux_status {
  uint32_t mode;
  uint32_t user;
  uint32_t group;
  uint32_t links;
  uint64_t inode;
  uint64_t size;    // bytes
  uint64_t device;  // of its file system
  uint64_t node;    // of the device that it is
  int64_t access_seconds, change_seconds, modification_seconds;
  uint32_t access_nanoseconds, change_nanoseconds, modification_nanoseconds;
  int64_t birth_seconds;  // of when it was made
  uint32_t birth_nanoseconds;
  int has_birth;
  int is_mount_root;  // something is mounted there; 0 before Linux 5.8
};

// statx(2), Linux 4.11. Of the descriptor itself with an empty name.
int CLinux_status_of(int folder, const char *name, struct CLinux_status *status);

// openat2(2), O_PATH and O_NOFOLLOW, Linux 5.6: a path below a folder, without links, and not across a mount (EXDEV). A link at its end is
// opened itself.
int CLinux_open_inside(int folder, const char *path);

// The same of one name, or of "." for the folder itself.
int CLinux_open_entry(int folder, const char *name);

// getxattr(2) and setxattr(2) of what a descriptor of O_PATH names, by `/proc/self/fd`.
long CLinux_get_own_attribute(int file, const char *key, void *value, size_t size);
int CLinux_set_own_attribute(int file, const char *key, const void *value, size_t size);

int CLinux_rename(int folder, const char *name, int other, const char *other_name, unsigned int flags);  // renameat2(2)

// fchmod(2) of what is no symbolic link, also if it may not be opened, by `/proc/self/fd`.
int CLinux_change_mode(int folder, const char *name, uint32_t mode);

// lgetxattr(2) and its kin, by `/proc/self/fd/FOLDER/NAME`, for the calls that take descriptors open the file first, which acts on devices.
long CLinux_get_attribute(int folder, const char *name, const char *key, void *value, size_t size);
// 1 if there is one of that key, 0 if not, -1 for a failure. getxattrat(2), Linux 6.13, else as the others.
int CLinux_has_attribute(int folder, const char *name, const char *key);
int CLinux_set_attribute(int folder, const char *name, const char *key, const void *value, size_t size);
int CLinux_remove_attribute(int folder, const char *name, const char *key);
long CLinux_list_attributes(int folder, const char *name, char *keys, size_t size);

// open_by_handle_at(2), O_PATH, in the folder's file system. ESTALE if the file has been removed.
int CLinux_open_handle(int folder, int type, const void *handle, unsigned int length);

// fstatfs(2), OVERLAYFS_SUPER_MAGIC: 1 if it is on an overlay, 0 if not.
int CLinux_is_overlay(int descriptor);

int CLinux_sync_file_system(int descriptor);  // syncfs(2)

// copy_file_range(2): up to `count` bytes from an offset to the same one, which move on.
long CLinux_copy_range(int from, int to, int64_t *offset, size_t count);

#endif
