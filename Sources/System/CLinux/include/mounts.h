// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The mount API for a process that does it itself and does not hang: glibc has some of these calls only since 2.36. All set errno.

#ifndef CLINUX_MOUNTS_H
#define CLINUX_MOUNTS_H

#include <stdint.h>

int CLinux_unshare_mounts(void);  // unshare(2), CLONE_NEWNS

// open_tree(2), OPEN_TREE_CLONE of what a descriptor names, Linux 5.2. Close-on-exec.
int CLinux_clone_tree(int descriptor, int recursively);

// move_mount(2) of a clone onto a path, whose last component may not be a symbolic link, Linux 5.2.
int CLinux_attach_tree(int tree, const char *path);

// The same onto what a descriptor names.
int CLinux_attach_tree_over(int tree, int target);

// move_mount(2), MOVE_MOUNT_SET_GROUP: the private mount whose root `to` names gets the peers of the one whose root `from` names.
// Linux 5.15; before, EINVAL, and with it EBADF for descriptors that are none.
int CLinux_set_group(int from, int to);

int CLinux_make_private(const char *mount_point);                  // mount(2), MS_PRIVATE
int CLinux_make_tree_private(const char *mount_point);             // mount(2), MS_PRIVATE and MS_REC
int CLinux_detach(const char *mount_point);                        // umount2(2), MNT_DETACH
int CLinux_make_slave(const char *mount_point);                    // mount(2), MS_SLAVE
int CLinux_bind(const char *source, const char *target);           // mount(2), MS_BIND
int CLinux_mount_memory(const char *target, const char *options);  // mount(2) of a tmpfs

// mount_setattr(2), MOUNT_ATTR_NOSYMFOLLOW, Linux 5.14; before, EINVAL or ENOSYS.
int CLinux_forbid_links(const char *mount_point);

// mount_setattr(2), MOUNT_ATTR_IDMAP, Linux 5.12, of a mount that is attached nowhere yet: its ids are as that user namespace maps them.
int CLinux_map_ids(int tree, int user_namespace, int recursively);

// mount_setattr(2), MS_SLAVE, Linux 5.12, of a mount that is attached nowhere yet, and of all below it.
int CLinux_leave_peers(int tree);

// mount_setattr(2), Linux 5.12, of a mount that is attached nowhere yet: sets MOUNT_ATTR_… and clears others of them.
// becomes_private: MS_PRIVATE, too.
int CLinux_set_attributes(int tree, uint64_t set, uint64_t clear, int becomes_private);

// FS_IOC_SETFLAGS of an open file or folder: neither immutable nor only to be appended to any more. ioctl_iflags(2).
int CLinux_allow_changes(int file);

// openat2(2), O_PATH and RESOLVE_IN_ROOT, Linux 5.6; before, ENOSYS. Close-on-exec.
int CLinux_open_in_root(int root, const char *path);

// The same with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS: EXDEV if a link leads out of the folder.
int CLinux_open_beneath(int folder, const char *path);

// When a file was made, links not followed: statx(2), stx_btime. EOPNOTSUPP if its file system does not know.
int CLinux_birth_time(const char *path, int64_t *seconds, uint32_t *nanoseconds);

#endif
