// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Processes and their namespaces: what Swift's Glibc module hides or marks as unavailable. All set errno.

#ifndef CLINUX_PROCESS_H
#define CLINUX_PROCESS_H

#include <stddef.h>
#include <stdint.h>

// pthread_create(3) of a detached thread. Returns its error number, 0 for success. In C because Swift takes pthread_attr_t for a type of
// whichever module it read first, and then wants that module imported.
int CLinux_start_thread(void *(*body)(void *), void *argument, size_t stack_size);

// fork(2). Only for a process with a single thread: the child may then go on in Swift.
int CLinux_fork(void);

// Gives back to the kernel what a process that only waits does not need: free memory, and the pages of the program's own code and
// constants, which come back from its file when they are used. malloc_trim(3), madvise(2).
void CLinux_release_memory(void);

// A child that runs a program. signal_at_parents_end: prctl(PR_SET_PDEATHSIG), 0 for none. Every signal is unblocked and has its
// default action in it, as a program expects that was started by a shell. null_input and null_output put /dev/null there.
int CLinux_spawn(const char *path, char *const *arguments, int signal_at_parents_end, int null_input, int null_output);

// signal(2) with SIG_IGN or SIG_DFL: whether the signal was ignored before, -1 on failure.
int CLinux_ignore_signal(int number);
int CLinux_default_signal(int number);

int CLinux_setns(int descriptor, int kind);                        // setns(2)
int CLinux_set_child_subreaper(void);                              // prctl(2), PR_SET_CHILD_SUBREAPER, Linux 3.4
int CLinux_close_range(unsigned int first, unsigned int last);     // close_range(2), Linux 5.9; falls back to closing one by one
// clone(2), CLONE_NEWUSER: a process that is there so that its user namespace can be mapped and opened, until something can be read from
// `release` or its other end is closed.
int CLinux_hold_user_namespace(int release);

int CLinux_pidfd_open(int process);                              // pidfd_open(2), Linux 5.3
int CLinux_try_lock(int descriptor);                               // flock(2), LOCK_EX | LOCK_NB

// Blocks every signal, and a close-on-exec signalfd(2) for all of them.
int CLinux_all_signals(void);

struct CLinux_signal {
  int number;
  int is_from_kernel;  // not sent by a process: a key of the terminal, a timer
};
// read(2) once on such a descriptor.
int CLinux_take_signal(int descriptor, struct CLinux_signal *signal);

// The terminal.
int CLinux_make_raw(int terminal, void *saved_attributes);  // cfmakeraw(3) with output processing kept; saves 128 bytes at most
int CLinux_clear_newline_mapping(int terminal);             // ONLCR of termios(3)
int CLinux_restore_terminal(int terminal, const void *saved_attributes);
int CLinux_copy_window_size(int from, int to);               // TIOCGWINSZ, TIOCSWINSZ
int CLinux_window_size(int terminal, int *rows, int *columns); // TIOCGWINSZ
int CLinux_receive_descriptor(int socket);                   // recvmsg(2), SCM_RIGHTS; close-on-exec

#endif
