// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage

/// A folder with something in it that is mounted for the tries.
final class ScratchSource {
    let path: String

    init() throws(VerificationError) {
        var template = Array("\(Self.parent)/plugin-verification-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw VerificationError("no folder could be made in \(Self.parent): \(String(cString: strerror(errno))); set TMPDIR to one")
        }
        path = String(cString: made)
        chmod(path, 0o755)
        mkdir("\(path)/folder", 0o755)
        let file = open("\(path)/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0o644)
        if file >= 0 { close(file) }
    }

    private static var parent: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }

    /// A folder in it, with whatever bytes for a name.
    func folder(named name: String) -> String? {
        let folder = "\(path)/\(name)"
        return mkdir(folder, 0o755) == 0 || errno == EEXIST ? folder : nil
    }

    deinit { Self.remove(path, depth: 0) }

    /// Takes away what is there, never through a link or into another mount's folder that is in use.
    private static func remove(_ path: String, depth: Int) {
        var status = stat()
        guard depth < 8, lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        for name in (try? namesInFolder(FilePath(path))) ?? [] { remove("\(path)/\(name)", depth: depth + 1) }
        rmdir(path)
    }
}
