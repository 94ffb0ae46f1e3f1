// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime
import SystemPackage

/// The delegate runtime, which does the work: runc, crun, or another one with their command line.
struct DelegateRuntime: Sendable {
    /// Absolute.
    let path: String

    /// - Parameter wanted: a path, or a name to look for in PATH; nil for `runc`.
    /// - Throws: `RuntimeError` if the program is missing, cannot be run, or is this program itself.
    init(_ wanted: String?) throws(RuntimeError) {
        let name = wanted ?? "runc"
        guard let path = name.utf8.contains(UInt8(ascii: "/")) ? name : Self.find(name) else {
            throw RuntimeError(
                .delegate,
                "\(name) is not in PATH; install it, or name the runtime with --runtime-path or runtime-path in the settings")
        }
        do throws(SystemError) {
            try systemCall("access", on: path) { access(path, X_OK) }
        } catch {
            throw RuntimeError(
                .delegate, "the runtime cannot be run: \(error); correct --runtime-path or runtime-path in the settings", cause: error)
        }
        if let itself = try? FileIdentity(at: "/proc/self/exe"), let found = try? FileIdentity(at: path), found.isSame(as: itself) {
            throw RuntimeError(
                .delegate,
                "the runtime \(path) is mountpoint-runc itself; name runc or crun with --runtime-path or runtime-path in the settings")
        }
        self.path = path
    }

    /// The runtime that a container was created with.
    init(recorded path: String) { self.path = path }

    /// The shells' default, for callers that give no PATH.
    private static let defaultFolders = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    private static func find(_ name: String) -> String? {
        let folders = getenv("PATH").map { String(cString: $0) } ?? defaultFolders
        let itself = try? FileIdentity(at: "/proc/self/exe")
        for folder in folders.utf8.split(separator: UInt8(ascii: ":")) where folder.first == UInt8(ascii: "/") {
            let path = "\(Substring(folder))/\(name)"
            guard access(path, X_OK) == 0, let found = try? FileIdentity(at: path), !found.isFolder else { continue }
            // If this program is installed as `runc` in a folder before the real runc, the real one is meant.
            if let itself, found.isSame(as: itself) { continue }
            return path
        }
        return nil
    }

    /// Replaces this process with the runtime. execve(2).
    ///
    /// - Throws: `RuntimeError` if that fails.
    func become(_ arguments: OriginalArguments) throws(RuntimeError) -> Never {
        do throws(SystemError) {
            try ChildProcess.become(path, arguments.words(after: path))
        } catch {
            throw RuntimeError(.delegate, "the runtime cannot be run: \(error)", cause: error)
        }
    }

    /// Starts a command of the runtime, which is killed if this process ends before it.
    func start(_ arguments: OriginalArguments) throws(RuntimeError) -> Int32 {
        do throws(SystemError) {
            return try ChildProcess.spawn(path, arguments.words(after: path), diesWithParent: true)
        } catch {
            throw RuntimeError(.delegate, "the runtime cannot be run: \(error)", cause: error)
        }
    }

    /// Runs a command of the runtime to its end, with this program's input and output.
    func run(_ arguments: OriginalArguments) throws(RuntimeError) -> ProcessEnd {
        let child = try start(arguments)
        do throws(SystemError) {
            return try ChildProcess.wait(for: child)
        } catch {
            throw RuntimeError(.local, "the runtime's end cannot be seen: \(error)", cause: error)
        }
    }
}

/// Arguments for the delegate runtime. Those that this program was given keep their bytes, UTF-8 or not.
struct OriginalArguments {
    var list: [RuntimeArgument]
    /// This program's own, with its name as the first.
    let given: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

    /// Adds a flag directly after the command's name.
    mutating func addFlag(_ name: String, _ value: String, toCommand command: String) {
        let isCommand = { (argument: RuntimeArgument) -> Bool in
            switch argument {
            case .text(let text): text == command
            case .bytes(let bytes): bytes.elementsEqual(command.utf8)
            case .original(let index): given[index + 1].map { strcmp($0, command) == 0 } ?? false
            }
        }
        guard let place = list.firstIndex(where: isCommand) else { return }
        list.insert(contentsOf: [.text(name), .text(value)], at: place + 1)
    }

    /// The words for execve(2). They are never freed: the process is about to be replaced or to end.
    func words(after name: String) -> [UnsafeMutablePointer<CChar>?] {
        var words: [UnsafeMutablePointer<CChar>?] = [strdup(name)]
        for argument in list {
            switch argument {
            case .original(let index): words.append(given[index + 1])
            case .text(let text): words.append(strdup(text))
            case .bytes(let bytes):
                words.append(
                    (bytes + [0]).withUnsafeBufferPointer { $0.withMemoryRebound(to: CChar.self) { $0.baseAddress.flatMap { strdup($0) } } }
                )
            }
        }
        words.append(nil)
        return words
    }
}
