// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount

@testable import NFS
@testable import Volumes

extension FuzzInput {
    /// The options of a new volume: a line for each, `name=value`.
    static let options = FuzzInput(name: "options") { bytes in
        let given = optionLines(bytes)
        guard let options = try accepted({ try VolumeOptions(given, kind: NFS()) }) else { return }
        try checkOptions(options)
    }

    /// The words of the option `o`.
    static let words = FuzzInput(name: "words") { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        if let last = try accepted({ try NFSOptions.lastOfEachKind(text) }) {
            let twice = try again("o", { try NFSOptions.lastOfEachKind(last) })
            try require(twice.utf8.elementsEqual(last.utf8), "the last of each kind of \(last) is \(twice)")
        }
        guard let words = try accepted({ try NFSOptions(text, defaults: ["rw,noatime,soft"]) }) else { return }
        for version in [NFSVersion.v3, .v4_1] { try checkPlan(words, version) }
        guard let server = ServerName("nas"), !words.kernel.isEmpty || words.server != nil else { return }
        let given = ["server": server.text, "path": "/export", "o": text]
        // A server in the words contradicts this one.
        if let options = try accepted({ try VolumeOptions(given, kind: NFS()) }) { try checkOptions(options) }
    }

    private static func optionLines(_ bytes: [UInt8]) -> [String: String] {
        var options: [String: String] = [:]
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let parts = line.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            options[String(decoding: parts[0], as: UTF8.self)] = parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : ""
        }
        return options
    }

    /// Options are kept in their canonical spelling, so that must mean the same.
    static func checkOptions(_ options: VolumeOptions) throws {
        let kind = NFS()
        let back = try again("options", { try VolumeOptions(options.canonical, kind: kind) })
        try require(back == options, "options \(options.canonical) become \(back.canonical)")
        try require(kind.namesServer(options.canonical), "options that name no server: \(options.canonical)")
        try require(back.source.text == options.source.text, "\(options.source.text) becomes \(back.source.text)")
        let names = options.source.location.components + (options.subdirectory?.components ?? [])
        for name in names {
            try require(!name.isEmpty && name != ".." && !name.utf8.contains(UInt8(ascii: "/")), "a directory named \"\(name)\"")
        }
        for value in options.canonical.values {
            try require(value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "a control character is taken: \(options.canonical)")
        }
        for purpose in [MountPurpose.volume, .catalogue, .disposal] { _ = try accepted { try options.source.validate(for: purpose) } }
    }

    private static func checkPlan(_ words: NFSOptions, _ version: NFSVersion) throws {
        guard let server = ServerName("nas") else { return }
        let plan = MountPlan(server: server, path: "/export", address: ServerAddress(.ipv4, "192.0.2.7"), version: version, options: words)
        for option in plan.options {
            let bytes = "\(option.key)=\(option.value ?? "")".utf8
            try require(!option.key.isEmpty, "an option without a name: \(option)")
            try require(!bytes.contains(0), "a NUL in the option \(option)")
            // fsconfig(2) takes it as the name that it is; mount(2)'s list must not.
            try require(!option.key.utf8.contains(UInt8(ascii: ",")) || plan.dataString == nil, "a comma in the name of \(option)")
        }
        // Nothing that the user says takes the place of what was found out.
        for key in ["vers", "addr", "proto"] {
            try require(plan.options.filter { $0.key == key }.count == 1, "\(key) is there twice: \(plan.options)")
        }
    }
}
