// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What Swift cannot import from libc, or cannot do itself. No logic: a caller prepares everything.

#ifndef CLINUX_H
#define CLINUX_H

#include <asm/unistd.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sock_diag.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdint.h>

#include "constants.h"
#include "entries.h"
#include "mounts.h"
#include "process.h"

// One system call of a sequence that runs in a process of its own.
struct CLinux_call {
  long number;               // __NR_…
  long arguments[6];
  int result_of[6];          // argument i is the result of this earlier call; -1: use arguments[i]
  int only_if;               // run only if this earlier call succeeded; -1: always
  unsigned char flags;       // CLINUX_CALL_…
  volatile long result;      // out: the kernel's answer, -errno for a failure, or CLINUX_CALL_NOT_RUN, …_ENTERED
};

enum {
  CLINUX_CALL_MAY_FAIL = 1,    // a failure does not end the sequence
  CLINUX_CALL_FINAL = 2,       // runs even after a failure
  CLINUX_CALL_ON_FAILURE = 4,  // runs only after a failure
};

// In the place of a call's number: opens the file that argument 1 names in the directory of argument 0 for reading, if it is a regular
// one. Anything else is looked at and never opened: a device would act, and a FIFO would let its writer go on. -EISDIR, -ELOOP for a
// symbolic link, -ENXIO for the rest.
#define CLINUX_OPEN_REGULAR (-1L)

#define CLINUX_CALL_NOT_RUN (-100000L)
#define CLINUX_CALL_ENTERED (-100001L)

struct CLinux_sequence {
  struct CLinux_call *calls;
  int count;
  int kept;               // a descriptor that the process keeps open, or -1
  int outlives;           // 1: goes on when the caller's thread or process dies
  int parent;             // out: the process that started it
  volatile int failed;    // out: index of the call that ended the sequence, or -1
  volatile int finished;  // out: 1 once the last call has returned
};

// Runs the sequence in a new process that shares this one's memory but nothing else, and returns at once with its
// process id and, in *pidfd, a close-on-exec descriptor that polls readable when it has ended. Returns -errno on failure.
//
// Why not fork: the caller is multi-threaded and large; copying its page tables costs more than the mount. Why not a
// thread: only a process can be killed out of a system call that waits for a dead server. The process runs nothing but the
// system calls given (no libc, no thread-local storage), so sharing memory with the running parent is safe. `sequence`,
// everything it points to and the stack must stay valid until the pidfd reports the end.
//
// clone(2); CLONE_PIDFD: Linux 5.2.
int CLinux_start_sequence(struct CLinux_sequence *sequence, void *stack, size_t stack_size, int *pidfd);

// System calls without a libc wrapper in Debian 12 (glibc 2.36), or hidden by _GNU_SOURCE. All set errno.
int CLinux_pidfd_send_signal(int pidfd, int signal);  // Linux 5.1
int CLinux_wait_pidfd(int pidfd, int *wait_status);   // waitid(P_PIDFD), Linux 5.4; never blocks: EAGAIN if it still runs
int CLinux_probe_mount_setattr(void);                 // mount_setattr(2) without arguments, Linux 5.12: EINVAL if it is known

// Blocks SIGTERM, SIGINT and SIGHUP for this thread and all it makes, then a signalfd for them; and ignores SIGPIPE.
int CLinux_termination_signals(void);

// read(2) once on such a descriptor: the number of the signal.
int CLinux_read_signal(int signalfd);


// eventfd(2), close-on-exec, counting from 0; and pthread_setname_np(3), which Swift's Glibc module hides.
int CLinux_eventfd(void);
void CLinux_name_thread(const char *name);

#endif
