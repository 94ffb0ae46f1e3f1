// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

/// What `swift build` makes beside the tests.
private let debugRuntime: String? = {
    let path = "\(Repository.root)/.build/debug/mountpoint-runc"
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
}()

/// The program itself with a chain, and with a script in the place of the runtime below that notes that it was called: nothing may be
/// handed over unasked. The plugin of the chain cannot be, so a container that it would be asked about does not start.
@Suite(.enabled(if: debugRuntime != nil, "the program has not been built")) struct BundleOpeningTests {
    private static let bind = #"{"mounts":[{"destination":"/a","type":"bind","source":"/srv"}]}"#
    private static let nothing = #"{"mounts":[{"destination":"/proc","type":"proc","source":"proc"}]}"#

    private enum Outcome: Equatable { case asked, handedOver, refused(String) }

    /// - Parameters:
    ///   - prepare: a shell script that makes the bundle, in a folder of its own. `$BIND` and `$NOTHING` are configurations, `$BYTE` is a
    ///     byte that is not UTF-8.
    ///   - words: the command's, after `create`, as the shell reads them.
    private func run(_ prepare: String, _ words: String) async throws -> Outcome {
        var result = CommandResult(status: 0, output: "")
        var wasCalled = false
        try await withScratchFolder { scratch in
            let script = """
                set -e; cd "$1"; printf '#!/bin/sh\\necho called >> %s/called\\n' "$1" > runtime; chmod 755 runtime
                BYTE=$(printf '\\377'); mkdir work; cd work
                \(prepare)
                exec "$2" --mount-point-plugin .none --runtime-path "$1/runtime" --root "$1/state" create \(words)
                """
            let binary = try #require(debugRuntime)
            result = try await command(
                ["sh", "-c", script, "sh", scratch.string, binary], environment: ["BIND": Self.bind, "NOTHING": Self.nothing], limit: 20)
            wasCalled = access(scratch.appending("called").string, F_OK) == 0
        }
        if wasCalled { return .handedOver }
        #expect(result.status == 1, "\(result)")
        return result.output.contains("is no name of a plugin") ? .asked : .refused(result.output)
    }

    @Test func asksAboutABundleAndHandsOverOneWithoutMounts() async throws {
        #expect(try await run(#"mkdir b; echo "$BIND" > b/config.json"#, "--bundle b x") == .asked)
        #expect(try await run(#"mkdir b; echo "$NOTHING" > b/config.json"#, "--bundle b x") == .handedOver)
        #expect(try await run(#"echo "$BIND" > config.json"#, "x") == .asked)
        #expect(try await run(#"echo "$BIND" > config.json"#, "--bundle '' x") == .asked, "runc's reading")
        #expect(try await run(#"echo "$BIND" > config.json"#, "--bundle= x") == .asked, "runc's reading")
        #expect(try await run(#"mkdir a b; echo "$BIND" > b/config.json"#, "--bundle a --bundle b x") == .asked)
        #expect(try await run(#"echo "$BIND" > c.json"#, "--config c.json x") == .asked)
    }

    /// After a symbolic link, `..` is above what the link leads to.
    @Test func looksForABundleAsTheKernelDoes() async throws {
        let folders = "mkdir -p far/deep far/b b; ln -s far/deep link; "
        #expect(
            try await run(folders + #"echo "$BIND" > far/b/config.json; echo "$NOTHING" > b/config.json"#, "--bundle link/../b x") == .asked
        )
        #expect(
            try await run(folders + #"echo "$NOTHING" > far/b/config.json; echo "$BIND" > b/config.json"#, "--bundle link/../b x")
                == .handedOver)
        #expect(try await run(folders + #"echo "$BIND" > far/b/config.json"#, "--bundle link/../b x") == .asked)
    }

    @Test(arguments: [
        ("mkdir b", "--bundle b x"), ("mkdir b; mkfifo b/config.json", "--bundle b x"), ("mkdir -p b/config.json", "--bundle b x"),
        ("mkdir b; ln -s nowhere b/config.json", "--bundle b x"), ("true", "--bundle absent x"), ("true", "x"), ("true", "--bundle '' x"),
        ("echo > file", "--bundle file x"), ("mkdir b; ln -s /dev/null b/config.json", "--bundle b x"),
        (#"mkdir b; echo "$BIND" > b/config.json"#, "--bundle b --config absent.json x"), ("mkfifo c", "--config c x"),
        ("true", "--config '' x"), (#"mkdir "b$BYTE""#, #"--bundle "b$BYTE" x"#),
    ])
    func aConfigurationThatIsNotThereIsItsOwnError(prepare: String, words: String) async throws {
        guard case .refused(let output) = try await run(prepare, words) else {
            Issue.record("\(prepare): \(words) was not refused")
            return
        }
        #expect(output.contains("the bundle's configuration cannot be read: ") || output.contains("--config needs"), "\(output)")
    }

    @Test(arguments: [
        (#"mkdir b =b undle; for f in b =b undle; do echo "$BIND" > $f/config.json; done"#, "-b=b x"),
        (#"mkdir undle; echo "$BIND" > undle/config.json"#, "-bundle x"),
        (#"mkdir undle; echo "$BIND" > undle/config.json"#, "-bundle b x"),
        (#"mkdir undle; echo "$BIND" > undle/config.json"#, "-bundle=b x"),
        (#"mkdir b; echo "$BIND" > b/config.json; cp b/config.json ."#, "--bundle b --config config.json x"),
    ])
    func whatTwoRuntimesReadDifferentlyIsAnError(prepare: String, words: String) async throws {
        guard case .refused(let output) = try await run(prepare, words) else {
            Issue.record("\(words) was not refused")
            return
        }
        #expect(output.contains("to runc and another to crun"), "\(output)")
    }

    /// Sources in config.json cannot be compared with such a path, since JSON is UTF-8.
    @Test(arguments: [(#"mkdir "b$BYTE"; D="b$BYTE""#, #"--bundle "b$BYTE" x"#), (#"mkdir "b$BYTE"; cd "b$BYTE"; D=."#, "x")])
    func keepsTheBytesOfABundlesPath(prepare: String, words: String) async throws {
        #expect(try await run(prepare + #"; echo "$NOTHING" > "$D/config.json""#, words) == .handedOver)
        guard case .refused(let output) = try await run(prepare + #"; echo "$BIND" > "$D/config.json""#, words) else {
            Issue.record("\(words) was not refused")
            return
        }
        #expect(output.contains("has bytes that are not UTF-8"), "\(output)")
    }

    @Test func namesAMountThatItCannotAskAbout() async throws {
        let prepare = #"echo '{"mounts":[{"destination":"/a","type":"ext4","source":"/dev/sdb"}]}' > config.json"#
        guard case .refused(let output) = try await run(prepare, "x") else {
            Issue.record("it was not refused")
            return
        }
        #expect(output.contains(#"plugins cannot be asked about the mount at "/a": it is of the type "ext4""#), "\(output)")
    }
}
