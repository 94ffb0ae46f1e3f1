// SPDX-License-Identifier: AGPL-3.0-or-later
#define _GNU_SOURCE
#include "include/process.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

int CLinux_start_thread(void *(*body)(void *), void *argument, size_t stack_size) {
  pthread_attr_t attributes;
  pthread_t thread;
  int failure = pthread_attr_init(&attributes);
  if (failure != 0) return failure;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, stack_size);
  failure = pthread_create(&thread, &attributes, body, argument);
  pthread_attr_destroy(&attributes);
  return failure;
}

int CLinux_fork(void) { return fork(); }

// LISTEN_PID in the environment, if it names this process or its parent: the descriptors that systemd's socket activation passes are
// meant for what runs in their place. sd_listen_fds(3)
static char **listen_process(void) {
  for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
    if (strncmp(*entry, "LISTEN_PID=", 11) != 0) continue;
    long process = strtol(*entry + 11, NULL, 10);
    return process == getpid() || process == getppid() ? entry : NULL;
  }
  return NULL;
}

// vfork(2) by the name that the thread sanitizer does not put fork(2) in the place of.
extern pid_t __vfork(void) __attribute__((returns_twice));

int CLinux_spawn(const char *path, char *const *arguments, int signal_at_parents_end, int null_input, int null_output) {
  // The child works in this process's memory until it runs the program: to copy it would take longer than all else here. So no handler
  // may run in it, and a failure can be told by a variable.
  volatile int failure = 0;
  sigset_t all, none, before;
  sigfillset(&all);
  sigemptyset(&none);
  sigprocmask(SIG_BLOCK, &all, &before);
  pid_t parent = getpid();
  char **listen_entry = listen_process();
  char *listen_before = listen_entry == NULL ? NULL : *listen_entry;
  char listen_text[32];
  pid_t child = __vfork();
  if (child == 0) {
    if (listen_entry != NULL) {
      snprintf(listen_text, sizeof listen_text, "LISTEN_PID=%ld", (long)getpid());
      *listen_entry = listen_text;
    }
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int ready = 1;
    if (signal_at_parents_end != 0) {
      ready = prctl(PR_SET_PDEATHSIG, signal_at_parents_end) == 0;
      if (getppid() != parent) _exit(127);
    }
    if (ready && (null_input || null_output)) {
      int null = open("/dev/null", O_RDWR | O_CLOEXEC);
      ready = null >= 0 && (!null_input || dup2(null, 0) >= 0) && (!null_output || (dup2(null, 1) >= 0 && dup2(null, 2) >= 0));
    }
    if (ready) execv(path, arguments);
    failure = errno;
    _exit(127);
  }
  int reason = child < 0 ? errno : failure;
  if (listen_entry != NULL) *listen_entry = listen_before;
  if (child > 0 && failure != 0) waitpid(child, NULL, 0);
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (reason == 0) return child;
  errno = reason;
  return -1;
}

static int set_signal(int number, void (*action)(int)) {
  void (*before)(int) = signal(number, action);
  return before == SIG_ERR ? -1 : before == SIG_IGN;
}

int CLinux_ignore_signal(int number) { return set_signal(number, SIG_IGN); }
int CLinux_default_signal(int number) { return set_signal(number, SIG_DFL); }

int CLinux_hold_user_namespace(int release) {
  pid_t parent = getpid();
  pid_t child = (pid_t)syscall(__NR_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child != 0) return child;
  // Only system calls: other threads of the parent may have held locks.
  char byte;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == parent) while (read(release, &byte, 1) < 0 && errno == EINTR) {}
  _exit(0);
}

int CLinux_setns(int descriptor, int kind) { return setns(descriptor, kind); }

// Set by the linker: the program's header, and the end of its code.
extern char __executable_start[], etext[];

void CLinux_release_memory(void) {
  malloc_trim(0);
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t start = ((uintptr_t)__executable_start + page - 1) & ~(page - 1);
  uintptr_t end = (uintptr_t)etext & ~(page - 1);
  if (start < end) madvise((void *)start, end - start, MADV_DONTNEED);
}

int CLinux_set_child_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int CLinux_close_range(unsigned int first, unsigned int last) {
  if (first > last) return 0;
  if (syscall(__NR_close_range, first, last, 0) == 0) return 0;
  if (errno != ENOSYS) return -1;
  long limit = sysconf(_SC_OPEN_MAX);
  for (long d = first; d <= (long)last && d < limit; d++) close((int)d);
  return 0;
}

int CLinux_pidfd_open(int process) { return (int)syscall(__NR_pidfd_open, process, 0); }

int CLinux_try_lock(int descriptor) { return flock(descriptor, LOCK_EX | LOCK_NB); }

int CLinux_all_signals(void) {
  sigset_t all;
  sigfillset(&all);
  if (sigprocmask(SIG_BLOCK, &all, NULL) < 0) return -1;
  return signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

int CLinux_take_signal(int descriptor, struct CLinux_signal *out) {
  struct signalfd_siginfo info;
  ssize_t n = read(descriptor, &info, sizeof info);
  if (n != sizeof info) return -1;
  out->number = (int)info.ssi_signo;
  out->is_from_kernel = info.ssi_code > 0;
  return 0;
}

_Static_assert(sizeof(struct termios) <= 128, "the room that Swift gives for a terminal's attributes");

int CLinux_make_raw(int terminal, void *saved) {
  struct termios attributes;
  if (tcgetattr(terminal, &attributes) < 0) return -1;
  memcpy(saved, &attributes, sizeof attributes);
  cfmakeraw(&attributes);
  attributes.c_oflag |= OPOST;
  return tcsetattr(terminal, TCSANOW, &attributes);
}

int CLinux_clear_newline_mapping(int terminal) {
  struct termios attributes;
  if (tcgetattr(terminal, &attributes) < 0) return -1;
  attributes.c_oflag &= ~(tcflag_t)ONLCR;
  return tcsetattr(terminal, TCSANOW, &attributes);
}

int CLinux_restore_terminal(int terminal, const void *saved) {
  struct termios attributes;
  memcpy(&attributes, saved, sizeof attributes);
  return tcsetattr(terminal, TCSANOW, &attributes);
}

int CLinux_copy_window_size(int from, int to) {
  struct winsize size;
  return ioctl(from, TIOCGWINSZ, &size) < 0 ? -1 : ioctl(to, TIOCSWINSZ, &size);
}

int CLinux_window_size(int terminal, int *rows, int *columns) {
  struct winsize size;
  if (ioctl(terminal, TIOCGWINSZ, &size) < 0) return -1;
  *rows = size.ws_row;
  *columns = size.ws_col;
  return 0;
}

int CLinux_receive_descriptor(int socket) {
  char data[4096];
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec piece = {data, sizeof data};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) < 0) return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int))) {
    errno = EBADMSG;
    return -1;
  }
  int descriptor;
  memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return descriptor;
}
