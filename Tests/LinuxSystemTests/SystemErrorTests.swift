// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import Testing

struct SystemErrorTests {
    @Test func saysCallOperandAndCause() {
        let error = SystemError("open", .noSuchFileOrDirectory, on: "/a/b")
        #expect(error.description == "open /a/b: No such file or directory (ENOENT)")
        #expect(SystemError("open", .permissionDenied, on: "x", hint: "be root").description.hasSuffix("(EACCES); be root"))
    }

    /// glibc knows the names, but only since 2.32.
    @Test func symbolsAreTheNamesThatLibcGives() throws {
        let function = try #require(dlsym(nil, "strerrorname_np"))
        let name = unsafeBitCast(function, to: (@convention(c) (CInt) -> UnsafePointer<CChar>?).self)
        var known = 0
        for code: CInt in 1...133 {
            let symbol = Errno(rawValue: code).symbol
            if symbol == "errno \(code)" { continue }
            known += 1
            // 95 has two names.
            if code == 95 { continue }
            #expect(symbol == name(code).map { String(cString: $0) })
        }
        #expect(known > 50)
    }

    /// The table of what NFS answers: an operator must be able to search for each.
    @Test(arguments: [
        Errno.permissionDenied, .notPermitted, .noSuchFileOrDirectory, .notDirectory, .protocolNotSupported, .notSupportedOnSocket,
        .timedOut,
        .connectionRefused, .noRouteToHost, .networkUnreachable, .networkDown, .hostIsDown, .invalidArgument, .staleNFSFileHandle,
        .resourceBusy, .ioError, .fileNameTooLong, .addressInUse, .resourceTemporarilyUnavailable, .noMemory, .tooManyOpenFiles,
    ])
    func everyAnswerOfNFSHasASymbol(code: Errno) {
        #expect(code.symbol.hasPrefix("E"))
        #expect(code.explained.hasSuffix("(\(code.symbol))"))
        #expect(code.explained.count > code.symbol.count + 5)
    }

    /// libc says "Unknown error 521" to these.
    @Test(arguments: 512...530) func internalNumbersOfTheKernelHaveWords(code: CInt) {
        let text = Errno(rawValue: code).explained
        #expect(!text.contains("Unknown"))
        #expect(text.contains("\(code)") || text.contains("(E"))
    }

    @Test func aBusyServerIsCalledBusy() {
        #expect(Errno(rawValue: 528).explained == "the server is busy (EJUKEBOX)")
    }

    @Test func retriesAfterAnInterruptionOnly() throws {
        var calls = 0
        let result = try systemCall("read", on: "x") { () -> Int in
            calls += 1
            if calls < 3 {
                Glibc.errno = EINTR
                return -1
            }
            return 7
        }
        #expect(result == 7)
        #expect(calls == 3)
        calls = 0
        #expect(throws: SystemError("read", .ioError, on: "x")) {
            try systemCall("read", on: "x") { () -> Int in
                calls += 1
                Glibc.errno = EIO
                return -1
            }
        }
        #expect(calls == 1)
    }
}
