// SPDX-License-Identifier: AGPL-3.0-or-later

import OCIRuntime
import Testing

@Suite struct RuntimeArgumentsTests {
    /// As text, with what was written anew in brackets.
    private func show(_ arguments: [RuntimeArgument], of text: String) -> String {
        arguments.map { argument in
            switch argument {
            case .original(let index): words(text)[index]
            case .text(let text): "[\(text)]"
            case .bytes(let bytes): "[\(String(decoding: bytes, as: UTF8.self))]"
            }
        }.joined(separator: " ")
    }

    @Test(arguments: [
        ("create --bundle /b --pid-file /p x", "create --bundle /b --pid-file [/new] x"),
        ("create --pid-file=/p x", "create [--pid-file=/new] x"),
        ("create -pid-file=/p x", "create [-pid-file=/new] x"),
        ("create --pid-f /p x", "create --pid-f [/new] x"),
        ("create --pid-file /p --pid-file=/q x", "create --pid-file [/new] [--pid-file=/new] x"),
        ("create x", "create [--pid-file] [/new] x"),
        ("--root /r --runtime-path runc create -- -x", "--root /r create [--pid-file] [/new] -- -x"),
        ("run --bundle --pid-file x", "run [--pid-file] [/new] --bundle --pid-file x"),
    ])
    func replacesOrAddsThePIDFile(text: String, expected: String) throws {
        #expect(show(try parse(text).handedOn(pidFile: "/new"), of: text) == expected)
    }

    @Test(arguments: [
        ("run x", "run [--detach] x"), ("run -d x", "run -d x"), ("run --detach x", "run --detach x"),
        ("run --detach=false x", "run [--detach] x"), ("restore --image-path i x", "restore [--detach] --image-path i x"),
        ("create x", "create x"), ("start x", "start x"), ("list", "list"),
    ])
    func makesSureOfDetach(text: String, expected: String) throws {
        #expect(show(try parse(text).handedOn(isDetached: true), of: text) == expected)
    }

    @Test(arguments: [
        ("--debug run --keep -d --no-subreaper --bundle /b --future=1 x", "--debug [create] --bundle /b --future=1 x"),
        ("run --detach=false --keep=true x -d", "[create] x"),
        ("run -db/b x", "[create] [-b/b] x"), ("run -db /b x", "[create] [-b] /b x"), ("run -dd x", "[create] x"),
        ("create x", "create x"), ("restore --image-path i -d x", "restore --image-path i -d x"), ("state x", "state x"),
    ])
    func makesCreateOfRun(text: String, expected: String) throws {
        #expect(show(try parse(text).handedOn(asCreate: true), of: text) == expected)
    }

    @Test func doesAllAtOnce() throws {
        let text = "--mount-point-plugin p --root /r run -d --pid-file /p --bundle /b x"
        #expect(
            show(try parse(text).handedOn(pidFile: "/new", isDetached: true, asCreate: true), of: text)
                == "--root /r [create] --pid-file [/new] --bundle /b x")
    }

    /// What is written anew must mean to the parser what it was written for.
    @Test func canBeReadAgain() throws {
        for text in ["run -db/b --pid-file=/p x", "run x --no-subreaper --pid-file /p", "run --keep -- x"] {
            let line = try parse(text)
            let anew = line.handedOn(pidFile: "/new", asCreate: true).map { argument in
                switch argument {
                case .original(let index): words(text)[index]
                case .text(let text): text
                case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
                }
            }
            let again = try RuntimeCommandLine(parsing: anew)
            var expected = try #require(line.command.creation)
            expected.pidFile = "/new"
            expected.isDetached = false
            expected.isKept = false
            expected.hasNoSubreaper = false
            #expect(again.command == .create(expected))
        }
    }
}
