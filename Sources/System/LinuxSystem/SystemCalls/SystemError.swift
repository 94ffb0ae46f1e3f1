// SPDX-License-Identifier: AGPL-3.0-or-later

public import SystemPackage

/// A system call that failed: which call, on what, with which errno.
public struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The call's name as its manual page spells it, such as `fsmount`.
    public var call: String
    public var errno: Errno
    /// What the call was given, for a person: a path, a key and its value, a process.
    public var operand: String
    /// What to do next, if there is something to say.
    public var hint: String?

    public init(_ call: String, _ errno: Errno, on operand: String, hint: String? = nil) {
        self.call = call
        self.errno = errno
        self.operand = operand
        self.hint = hint
    }

    public var description: String {
        let said = "\(call) \(operand): \(errno.explained)"
        return hint.map { "\(said); \($0)" } ?? said
    }
}

extension Errno {
    /// The symbol, such as `ENOENT`, or `errno N` where there is none.
    public var symbol: String { Self.symbols[rawValue] ?? "errno \(rawValue)" }

    /// libc's text with the symbol: `Permission denied (EACCES)`. Errno values that only the kernel uses inside (512 to
    /// 530) leak out of some file systems and have no text in libc. include/linux/errno.h.
    public var explained: String {
        switch rawValue {
        case KernelErrno.badHandle: "illegal file handle (errno 521)"
        case KernelErrno.badCookie: "cookie is stale (errno 523)"
        case KernelErrno.notSupported: "operation is not supported by the server (ENOTSUPP)"
        case KernelErrno.jukebox: "the server is busy (EJUKEBOX)"
        case KernelErrno.all: "internal error of the kernel (errno \(rawValue))"
        default: "\(description) (\(symbol))"
        }
    }

    private static let symbols: [CInt: String] = [
        1: "EPERM", 2: "ENOENT", 3: "ESRCH", 4: "EINTR", 5: "EIO", 6: "ENXIO", 7: "E2BIG", 9: "EBADF", 11: "EAGAIN", 12: "ENOMEM",
        13: "EACCES", 14: "EFAULT", 15: "ENOTBLK", 16: "EBUSY", 17: "EEXIST", 18: "EXDEV", 19: "ENODEV", 20: "ENOTDIR",
        21: "EISDIR", 22: "EINVAL", 23: "ENFILE", 24: "EMFILE", 26: "ETXTBSY", 27: "EFBIG", 28: "ENOSPC", 30: "EROFS",
        31: "EMLINK", 32: "EPIPE", 34: "ERANGE", 36: "ENAMETOOLONG", 38: "ENOSYS", 39: "ENOTEMPTY", 40: "ELOOP",
        61: "ENODATA", 62: "ETIME", 71: "EPROTO", 74: "EBADMSG", 75: "EOVERFLOW", 90: "EMSGSIZE", 93: "EPROTONOSUPPORT",
        95: "EOPNOTSUPP", 97: "EAFNOSUPPORT", 98: "EADDRINUSE", 99: "EADDRNOTAVAIL", 100: "ENETDOWN", 101: "ENETUNREACH",
        103: "ECONNABORTED", 104: "ECONNRESET", 107: "ENOTCONN", 108: "ESHUTDOWN", 110: "ETIMEDOUT",
        111: "ECONNREFUSED", 112: "EHOSTDOWN", 113: "EHOSTUNREACH", 114: "EALREADY", 115: "EINPROGRESS", 116: "ESTALE",
        121: "EREMOTEIO", 122: "EDQUOT", 125: "ECANCELED", 126: "ENOKEY", 127: "EKEYEXPIRED",
    ]
}

/// Errno values of the kernel's own include/linux/errno.h, which programs' headers do not have.
private enum KernelErrno {
    static let all: ClosedRange<CInt> = 512...530
    /// EBADHANDLE.
    static let badHandle: CInt = 521
    /// EBADCOOKIE.
    static let badCookie: CInt = 523
    /// ENOTSUPP.
    static let notSupported: CInt = 524
    /// EJUKEBOX.
    static let jukebox: CInt = 528
}

/// How often a call may be interrupted in turn. A signal does so once.
private let interruptionLimit = 1000

/// The only place that reads errno: runs a call of the C shape and turns -1 into an error.
///
/// `EINTR` is retried, so this is for calls where a second try is harmless; never for close(2). Not without end: a file system in user
/// space can answer so for ever, and a body that only repeats what was found before would never find anything else.
@discardableResult
public func systemCall<Result: FixedWidthInteger>(
    _ name: String, on operand: @autoclosure () -> String, _ body: () -> Result
) throws(SystemError) -> Result {
    var tries = 0
    while true {
        let result = body()
        if result != -1 { return result }
        let code = Errno.current
        tries += 1
        if code != .interrupted || tries == interruptionLimit { throw SystemError(name, code, on: operand()) }
    }
}
