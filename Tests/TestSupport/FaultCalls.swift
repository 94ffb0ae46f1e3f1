// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// Sets of system calls.
public enum FaultCalls {
    /// All that change something others see.
    public static let changing =
        "openat,write,writev,fsync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,fchmod,fchown,clone,clone3,"
        + "fsopen,fsconfig,fsmount,move_mount,open_tree,mount_setattr,mount,umount2,accept4,sendto,sendmsg,bind,listen,kill"

    /// Those by which a plugin changes a tree, besides.
    public static let changingTrees =
        changing + ",chmod,fchmodat,fchownat,utimensat,setxattr,lsetxattr,lremovexattr,symlinkat,mknodat,copy_file_range,ftruncate"

    /// By error, those that can fail so. Not those of the threads of Swift and of SwiftNIO's loop that the kernel lets fail in no such way,
    /// and not those by which memory is had.
    public static let failing: [(error: Int32, calls: String)] = [
        (
            EIO,
            "openat,openat2,read,pread64,write,fsync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,getdents64,"
                + "fstat,newfstatat,fchmod,fchown,fsconfig,fsmount,move_mount,open_tree,mount,umount2,!NIO,!oot.,!-qos,!signals"
        ),
        (
            ENOSPC,
            "openat,write,fsync,rename,renameat,renameat2,mkdir,mkdirat,link,linkat,fsconfig,move_mount,mount,!NIO,!oot.,!-qos"
        ),
        (EMFILE, "openat,openat2,fsopen,fsmount,open_tree,socket,pidfd_open,clone,accept4,eventfd2,pipe2,!-qos"),
        (
            ENOMEM,
            "openat,rename,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,clone,clone3,fsopen,fsconfig,fsmount,move_mount,open_tree,mount,"
                + "umount2,accept4,eventfd2,!-qos"
        ),
        (EINTR, "openat,read,write,fsync,accept4,poll,ppoll,epoll_wait,epoll_pwait,waitid,wait4,fsconfig,recvfrom,sendto,!-qos"),
    ]
}
