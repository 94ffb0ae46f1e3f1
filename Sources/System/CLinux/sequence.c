// SPDX-License-Identifier: AGPL-3.0-or-later

#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// libc's syscall() writes errno, which is in thread-local storage that the new process shares with the thread that
// made it; so the instruction itself is used.
static inline __attribute__((always_inline)) long kernel(long n, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#else
#error "CLinux: add the system call instruction of this processor"
#endif
}

// What runs in the new process. The canary of the stack protector and what sanitizers know of a thread are in thread-local storage too,
// and nothing there may be touched.
#define IN_CHILD __attribute__((no_stack_protector, disable_sanitizer_instrumentation))

// clone(2) by the name that the thread sanitizer does not put a fork's in the place of.
extern int __clone(int (*)(void *), void *, int, void *, ...);

IN_CHILD static long open_regular(long folder, long name) {
  long found = kernel(__NR_openat, folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, 0, 0);
  if (found < 0) return found;
  struct statx status;
  long result = kernel(__NR_statx, found, (long)"", AT_EMPTY_PATH, STATX_TYPE, (long)&status, 0);
  if (result == 0) {
    switch (status.stx_mode & S_IFMT) {
      case S_IFREG: {
        // The descriptor cannot be read from; its link opens the same file again.
        char link[] = "/proc/self/fd/0000000000";
        int end = sizeof link - 1, digits = 1;
        for (long rest = found / 10; rest > 0; rest /= 10) digits++;
        char *digit = link + end - 10 + digits;
        *digit = 0;
        for (long rest = found; digits > 0; digits--, rest /= 10) *--digit = (char)('0' + rest % 10);
        result = kernel(__NR_openat, AT_FDCWD, (long)link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0, 0, 0);
        break;
      }
      case S_IFDIR: result = -EISDIR; break;
      case S_IFLNK: result = -ELOOP; break;
      default: result = -ENXIO;
    }
  }
  kernel(__NR_close, found, 0, 0, 0, 0, 0);
  return result;
}

IN_CHILD static int run(void *argument) {
  struct CLinux_sequence *s = argument;
  // A daemon that dies takes its unfinished calls with it: what they were for is gone.
  if (!s->outlives) {
    kernel(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
    // It may have died before that took effect.
    if (kernel(__NR_getppid, 0, 0, 0, 0, 0, 0) != s->parent) return 0;
  }
  // The descriptor table is a copy. A stuck call must not hold the daemon's sockets open. (ENOSYS before Linux 5.9: they
  // stay open until the call ends.) A process that goes on without its caller keeps what the caller held, its locks above all: the
  // next must not begin before this has ended.
  if (!s->outlives) {
    unsigned first = 3;
    if (s->kept >= 3) {
      if (s->kept > 3) kernel(__NR_close_range, 3, s->kept - 1, 0, 0, 0, 0);
      first = s->kept + 1;
    }
    kernel(__NR_close_range, first, ~0U, 0, 0, 0, 0);
  }
  for (int i = 0; i < s->count; i++) {
    struct CLinux_call *c = &s->calls[i];
    if (s->failed >= 0 && !(c->flags & (CLINUX_CALL_FINAL | CLINUX_CALL_ON_FAILURE))) continue;
    if (s->failed < 0 && (c->flags & CLINUX_CALL_ON_FAILURE)) continue;
    if (c->only_if >= 0 && s->calls[c->only_if].result < 0) continue;
    long a[6];
    int usable = 1;
    for (int k = 0; k < 6; k++) {
      a[k] = c->arguments[k];
      if (c->result_of[k] >= 0) {
        a[k] = s->calls[c->result_of[k]].result;
        if (a[k] < 0) usable = 0;
      }
    }
    if (!usable) continue;
    c->result = CLINUX_CALL_ENTERED;
    c->result = c->number == CLINUX_OPEN_REGULAR ? open_regular(a[0], a[1]) : kernel(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (c->result < 0 && c->flags == 0 && s->failed < 0) s->failed = i;
  }
  s->finished = 1;
  return 0;
}

int CLinux_start_sequence(struct CLinux_sequence *sequence, void *stack, size_t stack_size, int *pidfd) {
  sigset_t all, before;
  sequence->failed = -1;
  sequence->finished = 0;
  sequence->parent = getpid();
  // A handler of the parent must never run in the new process, so it starts with every signal blocked.
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  *pidfd = -1;
  int pid = __clone(run, (char *)stack + stack_size, CLONE_VM | CLONE_PIDFD | SIGCHLD, sequence, pidfd);
  int failure = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return pid < 0 ? -failure : pid;
}

int CLinux_pidfd_send_signal(int pidfd, int signal) {
  return (int)syscall(__NR_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int CLinux_probe_mount_setattr(void) { return (int)syscall(__NR_mount_setattr, -1, "", 0, NULL, 0); }

int CLinux_wait_pidfd(int pidfd, int *wait_status) {
  siginfo_t info = {0};
  int result;
  do result = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
  while (result < 0 && errno == EINTR);
  if (result < 0) return -1;
  if (info.si_pid == 0) {
    errno = EAGAIN;
    return -1;
  }
  *wait_status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
  return info.si_pid;
}

int CLinux_termination_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  signal(SIGPIPE, SIG_IGN);
  int failure = pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (failure != 0) {
    errno = failure;
    return -1;
  }
  return signalfd(-1, &set, SFD_CLOEXEC);
}

int CLinux_read_signal(int fd) {
  struct signalfd_siginfo info;
  ssize_t n = read(fd, &info, sizeof info);
  return n == sizeof info ? (int)info.ssi_signo : -1;
}

int CLinux_eventfd(void) { return eventfd(0, EFD_CLOEXEC); }

void CLinux_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
