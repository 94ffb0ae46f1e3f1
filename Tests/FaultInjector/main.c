// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Counts the system calls of a program, of all its threads and of the processes it makes, and at the nth call kills it, or lets that
// call fail. strace(1) counts for each thread by itself, so that the first calls of a second thread can never be hit; this counts
// over all of them. ptrace(2).
//
//     fault-injector attach PID CALLS N ACTION
//     fault-injector run CALLS N ACTION PROGRAM [ARGUMENT...]
//
// CALLS is `all`, or names of the table below with commas between them; calls of threads whose names begin with what follows a `!` in
// that list are left out. N is from 1, and 0 for none: then the calls are only
// counted. ACTION is `kill` (the program), `kill-self` (the process that makes the call), `orphan` (the program, and the call of another
// process is made only when the program is gone), or the number of an error.
//
// Lines go to standard input, which is a socket; the end of that ends the tracing:
//     ready               the program's calls are counted from now on
//     call NAME THREAD    with N = 0, each call as it is made
//     hit NAME THREAD     what N was
//     gone                the program has ended
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <dirent.h>
#include <elf.h>
#include <linux/ptrace.h>
#include <sys/user.h>
#include <unistd.h>

// glibc's header and the kernel's cannot both be had.
static long trace(int request, pid_t thread, uintptr_t address, uintptr_t data) {
    return syscall(SYS_ptrace, (long)request, (long)thread, address, data);
}

struct name {
    const char *text;
    long number;
};

#define CALL(name) {#name, SYS_##name}
static const struct name names[] = {
#ifdef SYS_open
    CALL(open), CALL(rename), CALL(unlink), CALL(mkdir), CALL(rmdir), CALL(link), CALL(symlink), CALL(poll), CALL(epoll_wait), CALL(vfork),
    CALL(fork), CALL(chmod), CALL(chown), CALL(stat), CALL(lstat), CALL(readlink), CALL(access), CALL(dup2), CALL(pipe),
#endif
    CALL(openat), CALL(openat2), CALL(close), CALL(read), CALL(pread64), CALL(write), CALL(pwrite64), CALL(writev), CALL(readv),
    CALL(fsync), CALL(fdatasync), CALL(ftruncate), CALL(renameat), CALL(renameat2), CALL(unlinkat), CALL(mkdirat), CALL(linkat),
    CALL(symlinkat), CALL(fchmod), CALL(fchmodat), CALL(fchown), CALL(fchownat), CALL(getdents64), CALL(fstat), CALL(newfstatat),
    CALL(statx), CALL(readlinkat), CALL(faccessat), CALL(lseek), CALL(fcntl), CALL(flock), CALL(clone), CALL(clone3), CALL(execve),
    CALL(fsopen), CALL(fsconfig), CALL(fsmount), CALL(fspick), CALL(move_mount), CALL(open_tree), CALL(mount_setattr), CALL(mount),
    CALL(umount2), CALL(unshare), CALL(setns), CALL(wait4), CALL(waitid), CALL(kill), CALL(prctl), CALL(ppoll), CALL(epoll_pwait),
    CALL(epoll_create1), CALL(epoll_ctl), CALL(eventfd2), CALL(pidfd_open), CALL(pidfd_send_signal), CALL(signalfd4), CALL(timerfd_create),
    CALL(timerfd_settime), CALL(socket), CALL(bind), CALL(listen), CALL(accept4), CALL(connect), CALL(getsockopt), CALL(setsockopt),
    CALL(sendto), CALL(recvfrom), CALL(sendmsg), CALL(recvmsg), CALL(shutdown), CALL(statfs), CALL(fstatfs), CALL(chdir), CALL(fchdir),
    CALL(dup), CALL(dup3), CALL(pipe2), CALL(mmap), CALL(munmap), CALL(mprotect), CALL(madvise), CALL(brk), CALL(futex),
    CALL(exit), CALL(exit_group), CALL(getrandom), CALL(umask), CALL(fallocate), CALL(inotify_init1), CALL(utimensat),
    CALL(setxattr), CALL(lsetxattr), CALL(lremovexattr), CALL(copy_file_range), CALL(mknodat), CALL(ioctl), CALL(syncfs),
};
enum { name_count = sizeof names / sizeof names[0] };

static int counted[1024];
static int counts_all;
static const char *left_out[16];
static int left_out_count;
static long wanted;
static const char *action;
static pid_t target;
static long total;
static int reports = 1;
// A program that is started is counted from its execve on.
static int is_counting;
// The thread whose call fails at its exit, and with what.
static pid_t failing;
static long failure;
// The thread that goes on only when the program has ended.
static pid_t held;

static void fail(const char *what) {
    fprintf(stderr, "fault-injector: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void report(const char *format, ...) {
    char line[256];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (reports && send(0, line, (size_t)length, MSG_NOSIGNAL) < 0) reports = 0;
}

static const char *name_of(long number) {
    static char text[32];
    for (int index = 0; index < name_count; index++)
        if (names[index].number == number) return names[index].text;
    snprintf(text, sizeof text, "call-%ld", number);
    return text;
}

static void choose(char *list) {
    for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
        if (strcmp(word, "all") == 0) counts_all = 1;
        if (word[0] == '!' && left_out_count < 16) left_out[left_out_count++] = word + 1;
        for (int index = 0; index < name_count; index++)
            if (strcmp(names[index].text, word) == 0 && names[index].number < 1024) counted[names[index].number] = 1;
    }
}

static void thread_name(pid_t thread, char *text, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", thread);
    snprintf(text, size, "?");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    ssize_t length = read(file, text, size - 1);
    close(file);
    text[length > 0 ? length : 0] = 0;
    for (char *sign = text; *sign; sign++)
        if (*sign == '\n' || *sign == ' ') *sign = *sign == '\n' ? 0 : '-';
}

static pid_t process_of(pid_t thread) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", thread);
    FILE *file = fopen(path, "re");
    pid_t process = thread;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Tgid: %d", &process) == 1) break;
    if (file) fclose(file);
    return process;
}

// Has the kernel make no call now, and the thread see an error at its exit.
static void skip_call(pid_t thread) {
#if defined(__x86_64__)
    trace(PTRACE_POKEUSR, thread, offsetof(struct user_regs_struct, orig_rax), (uintptr_t)-1);
#elif defined(__aarch64__)
    int none = -1;
    struct iovec part = {&none, sizeof none};
    trace(PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, (uintptr_t)&part);
#endif
}

static void set_result(pid_t thread, long result) {
#if defined(__x86_64__)
    trace(PTRACE_POKEUSR, thread, offsetof(struct user_regs_struct, rax), (uintptr_t)result);
#elif defined(__aarch64__)
    struct user_regs_struct registers;
    struct iovec part = {&registers, sizeof registers};
    trace(PTRACE_GETREGSET, thread, NT_PRSTATUS, (uintptr_t)&part);
    registers.regs[0] = (unsigned long long)result;
    trace(PTRACE_SETREGSET, thread, NT_PRSTATUS, (uintptr_t)&part);
#endif
}

static void enter(pid_t thread, const struct ptrace_syscall_info *info) {
    long number = (long)info->entry.nr;
    if (!is_counting || number < 0 || number >= 1024 || !(counts_all || counted[number])) return;
    char name[32];
    // Reading a name costs more than the call, so only when it is needed.
    if (left_out_count > 0) {
        thread_name(thread, name, sizeof name);
        for (int index = 0; index < left_out_count; index++)
            if (strncmp(name, left_out[index], strlen(left_out[index])) == 0) return;
    }
    total++;
    if (wanted != 0 && total != wanted) return;
    if (left_out_count == 0) thread_name(thread, name, sizeof name);
    report("%s %s %s\n", wanted == 0 ? "call" : "hit", name_of(number), name);
    if (wanted == 0) return;
    if (strcmp(action, "orphan") == 0) {
        if (process_of(thread) != target) held = thread;
        kill(target, SIGKILL);
    } else if (strcmp(action, "kill") == 0) {
        kill(target, SIGKILL);
    } else if (strcmp(action, "kill-self") == 0) {
        kill(process_of(thread), SIGKILL);
    } else {
        failing = thread;
        failure = atol(action);
        skip_call(thread);
    }
}

static void stopped(pid_t thread, int status) {
    int signal_number = WSTOPSIG(status), event = status >> 16;
    struct ptrace_syscall_info info;
    if (signal_number == (SIGTRAP | 0x80)) {
        if (trace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, (uintptr_t)&info) > 0) {
            if (info.op == PTRACE_SYSCALL_INFO_ENTRY) enter(thread, &info);
            if (info.op == PTRACE_SYSCALL_INFO_EXIT && thread == failing) {
                set_result(thread, -failure);
                failing = 0;
            }
        }
        if (thread == held) return;
        trace(PTRACE_SYSCALL, thread, 0, 0);
    } else if (event == PTRACE_EVENT_STOP) {
        // A new thread, or a stop by a signal: the latter stays stopped.
        int is_group_stop = signal_number == SIGSTOP || signal_number == SIGTSTP || signal_number == SIGTTIN || signal_number == SIGTTOU;
        trace(is_group_stop ? PTRACE_LISTEN : PTRACE_SYSCALL, thread, 0, 0);
    } else if (event != 0) {
        if (event == PTRACE_EVENT_EXEC && thread == target && !is_counting) {
            is_counting = 1;
            report("ready\n");
        }
        trace(PTRACE_SYSCALL, thread, 0, 0);
    } else {
        trace(PTRACE_SYSCALL, thread, 0, (uintptr_t)signal_number);
    }
}

static const int options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;

// All threads that there are; one that begins meanwhile is traced by its maker's options, or found at the next look.
static void attach(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", target);
    for (int found = 1; found;) {
        found = 0;
        DIR *folder = opendir(path);
        if (!folder) fail(path);
        for (struct dirent *entry; (entry = readdir(folder));) {
            pid_t thread = atoi(entry->d_name);
            if (thread <= 0 || trace(PTRACE_SEIZE, thread, 0, (uintptr_t)options) != 0) continue;
            found = 1;
            trace(PTRACE_INTERRUPT, thread, 0, 0);
        }
        closedir(folder);
    }
}

static void start(char **words) {
    int gate[2];
    if (pipe2(gate, O_CLOEXEC) != 0) fail("pipe2");
    target = fork();
    if (target == 0) {
        char byte;
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        int null = open("/dev/null", O_RDONLY);
        if (read(gate[0], &byte, 1) != 1 || dup2(null, 0) != 0) _exit(126);
        close(null);
        execv(words[0], words);
        _exit(127);
    }
    if (trace(PTRACE_SEIZE, target, 0, (uintptr_t)options) != 0) fail("PTRACE_SEIZE");
    trace(PTRACE_INTERRUPT, target, 0, 0);
    if (write(gate[1], "x", 1) != 1) fail("write");
}

int main(int count, char **words) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int events = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    int runs = count >= 6 && strcmp(words[1], "run") == 0;
    if (!runs && (count != 6 || strcmp(words[1], "attach") != 0)) {
        fputs("usage: fault-injector attach PID CALLS N ACTION | run CALLS N ACTION PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    char **rest = words + (runs ? 2 : 3);
    choose(rest[0]);
    wanted = atol(rest[1]);
    action = rest[2];
    if (runs) {
        start(rest + 3);
    } else {
        target = atoi(words[2]);
        attach();
    }
    int is_wanted = 1, is_ready = runs, ended = 0;
    for (;;) {
        int status;
        pid_t thread;
        while ((thread = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
            if (WIFSTOPPED(status)) stopped(thread, status);
            if (thread != target || (!WIFEXITED(status) && !WIFSIGNALED(status))) continue;
            report("gone\n");
            ended = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            pid_t waiting = held;
            held = 0;
            if (waiting) trace(PTRACE_SYSCALL, waiting, 0, 0);
        }
        if (thread < 0) return runs ? ended : 0;
        // What threads do because they were interrupted for being attached to does not count.
        if (!is_ready) {
            report("ready\n");
            is_counting = is_ready = 1;
        }
        // A call that is being skipped must get its result first.
        if (!is_wanted && !runs && failing == 0 && held == 0) return 0;
        struct pollfd waits[2] = {{events, POLLIN, 0}, {is_wanted ? 0 : -1, POLLIN, 0}};
        if (poll(waits, 2, -1) < 0) continue;
        struct signalfd_siginfo information;
        while (read(events, &information, sizeof information) > 0) {
        }
        char byte;
        if (waits[1].revents && recv(0, &byte, 1, MSG_DONTWAIT) <= 0) is_wanted = 0;
    }
}
