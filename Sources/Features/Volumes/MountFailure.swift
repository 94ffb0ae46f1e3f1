// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
package import KernelMount
import LinuxSystem
import SystemPackage

/// When and why a volume could not be mounted.
package struct MountFailure: Sendable, Equatable {
    /// The time as RFC 3339 in UTC, a colon, and the line that the caller got.
    package var text: String
    package var code: StorageError.Code

    init(text: String, code: StorageError.Code) {
        self.text = text
        self.code = code
    }

    /// Of just now.
    init(_ error: StorageError) { self.init(text: "\(timestamp()): \(error)", code: error.code) }
}

/// The last failure of each volume, for a restart and for those who only read: `failures/NAME.json` in the runtime directory.
package struct FailureFiles: Sendable {
    let folder: FilePath
    private let boot: String

    private static let suffix = ".json"
    /// A failure is one line, with at most the kernel's eight messages in it.
    private static let longestFile = 64 << 10

    /// - Throws: `SystemError` if it is not known which boot this is.
    init(runtime: FilePath) throws(SystemError) {
        folder = runtime.appending("failures")
        boot = try Boot.current().text
    }

    /// By the volumes' encoded names. A file that cannot be read, or is of another boot, is passed over. Blocks on local files.
    package func read() -> [String: MountFailure] {
        var found: [String: MountFailure] = [:]
        for name in (try? namesInFolder(folder)) ?? [] where name.hasByteSuffix(Self.suffix) {
            guard let bytes = try? readRegularFile(folder.appending(name), limit: Self.longestFile),
                let fields = try? JSONObjectReader(parsing: bytes), (try? fields.textIfPresent("boot")) == boot,
                let text = try? fields.textIfPresent("failure"),
                let code = (try? fields.textIfPresent("code")).flatMap(StorageError.Code.init)
            else { continue }
            found[String(name.dropLast(Self.suffix.count))] = MountFailure(text: text, code: code)
        }
        return found
    }

    /// Not synced, because a power cut is the end of the boot. Blocks on a local file.
    ///
    /// - Parameter failure: nil removes the file.
    func write(_ failure: MountFailure?, of name: VolumeName) throws(SystemError) {
        let file = folder.appending(name.fileName + Self.suffix)
        guard let failure else { return try removeFile(file, durable: false) }
        let document: JSONValue = [
            "boot": .string(boot), "failure": .string(failure.text), "code": .string(failure.code.description),
        ]
        try makeFolders(folder, mode: 0o700)
        try replaceFile(file, with: document.encoded(.compact), durable: false)
    }
}
