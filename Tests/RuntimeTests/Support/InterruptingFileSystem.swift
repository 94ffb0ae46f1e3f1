// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import TestSupport

/// A FUSE file system on a ``PrivateHost`` that answers one kind of request with `EINTR`, as one that is stopped and started again does.
/// It covers one file, and has the content that the file had before. fuse(4); no library is needed.
struct InterruptingFileSystem: Sendable {
    /// What is interrupted.
    enum Request: String, Sendable {
        /// open(2) of the file.
        case open
        /// Every system call with the path of the file, which is the only one of a folder.
        case lookup
    }

    private let host: PrivateHost
    private let place: String
    private let server: SpawnedProcess
    private let log: String

    static var isThere: Bool { FileManager.default.isWritableFile(atPath: "/dev/fuse") }

    /// Mounts it.
    ///
    /// - Parameters:
    ///   - file: what is covered: the file itself, or the folder of it where lookups are interrupted.
    ///   - numbers: which requests of that kind are interrupted; the first one is 0.
    init(over file: String, on host: PrivateHost, interrupting request: Request, _ numbers: Range<Int>) async throws {
        self.host = host
        place = request == .open ? file : String(file.prefix(upTo: file.lastIndex(of: "/")!))
        log = "fuse-\(UUID().uuidString.prefix(8)).log"
        let words = ["python3", "-c", Self.program, file, place, request.rawValue, String(numbers.lowerBound), String(numbers.upperBound)]
        server = try host.start(words, log: log)
        try await eventually("the file system is mounted: \(host.log(log))", within: .seconds(10)) { [self] in
            if server.hasEnded { throw Trouble("no file system: \(host.log(log))") }
            return host.log(log).contains("mounted\n")
        }
    }

    /// Unmounts it.
    ///
    /// - Returns: how many requests have been interrupted.
    func end() async throws -> Int {
        // A process that tries for ever keeps it busy until the server has gone.
        try await eventually("\(place) is unmounted", within: .seconds(60)) { try await host.run(["umount", place]).status == 0 }
        try await server.end(within: .seconds(10))
        guard let count = host.log(log).split(separator: "\n").last.flatMap({ Int($0) }) else { throw Trouble("it has ended by itself") }
        return count
    }

    /// `<linux/fuse.h>`: a request begins with its length, operation, number and node, and an answer with its length, errno and number.
    private static let program = #"""
        import ctypes, os, signal, struct, sys
        signal.alarm(45)
        file, place, interrupted, numbers = sys.argv[1], sys.argv[2], sys.argv[3], range(int(sys.argv[4]), int(sys.argv[5]))
        content, device, is_folder = open(file, "rb").read(), os.open("/dev/fuse", os.O_RDWR), file != place
        options = "fd=%d,rootmode=%s,user_id=0,group_id=0,allow_other" % (device, "40000" if is_folder else "100000")
        if ctypes.CDLL(None).mount(b"interrupting", place.encode(), b"fuse", 0, options.encode()) != 0: sys.exit("no mount")
        print("mounted", flush=True)
        LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, OPENDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = \
            1, 2, 3, 14, 15, 18, 25, 26, 27, 29, 36, 42
        def attributes(node):
            mode = 0o40755 if is_folder and node == 1 else 0o100644
            return struct.pack("<6Q10I", node, len(content), 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)
        requests, count = 0, 0
        while True:
            try: request = os.read(device, 1 << 20)
            except OSError: break
            _, operation, number, node = struct.unpack_from("<IIQQ", request)
            error, answer = 0, b""
            if operation == {"open": OPEN, "lookup": LOOKUP}[interrupted]:
                requests += 1
                if requests - 1 in numbers: error, count = 4, count + 1
            if error: pass
            elif operation == INIT: answer = struct.pack("<IIIIHHIIHHI7I", 7, 31, 65536, 0, 8, 8, 65536, 1, 16, 0, *[0] * 8)
            elif operation == LOOKUP and request[40:-1].decode() == os.path.basename(file):
                answer = struct.pack("<QQQQII", 2, 0, 0, 0, 0, 0) + attributes(2)
            elif operation == LOOKUP: error = 2
            elif operation == GETATTR: answer = struct.pack("<QII", 0, 0, 0) + attributes(node)
            elif operation in (OPEN, OPENDIR): answer = struct.pack("<QII", 0, 1, 0)
            elif operation == READ:
                _, offset, size = struct.unpack_from("<QQI", request, 40)
                answer = content[offset:offset + size]
            elif operation in (FORGET, BATCH_FORGET, INTERRUPT): continue
            elif operation not in (RELEASE, RELEASEDIR, FLUSH): error = 38
            os.write(device, struct.pack("<IiQ", 16 + len(answer), -error, number) + answer)
        print(count)
        """#
}
