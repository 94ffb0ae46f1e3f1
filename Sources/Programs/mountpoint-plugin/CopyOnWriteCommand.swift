// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser
import DockerPluginAPI
import Glibc
import LinuxSystem
import MountPointPlugins

struct CopyOnWriteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy-on-write", abstract: "Let containers change trees that stay as they are.",
        subcommands: [
            CopyOnWriteServe.self, CopyOnWriteList.self, CopyOnWriteDiff.self, CopyOnWriteCommit.self, CopyOnWriteDiscard.self,
            CopyOnWriteExport.self,
        ],
        defaultSubcommand: CopyOnWriteServe.self)
}

struct CopyOnWriteServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Answer mountpoint-runc until a signal comes.")
    @OptionGroup var flags: ServeFlags

    func run() async throws { await flags.serve("copy-on-write") }
}

/// Which plugin's changes.
struct ChangesFlags: ParsableArguments {
    @Option(help: "The plugin's name, if it is not copy-on-write.") var instance: String?
    @OptionGroup var folders: PlaceFlags

    /// Runs a body on a thread that may block, and prints what it gives.
    func run(_ body: @escaping @Sendable (ChangesOfInstance) throws -> [UInt8]) async {
        do {
            let instance = try PluginInstance(of: "copy-on-write", named: instance, places: folders.places)
            let bytes = try await BlockingThread.run(named: "changes") { try body(ChangesOfInstance(instance)) }
            Program.put(bytes)
        } catch {
            Program.fail(error)
        }
    }
}

struct CopyOnWriteList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show all changes: name, source, container, since when, and what becomes of them.")
    @Flag(help: "A JSON array.") var json = false
    @OptionGroup var flags: ChangesFlags

    func run() async throws {
        let json = json
        await flags.run { Array($0.list(json: json).utf8) }
    }
}

struct CopyOnWriteDiff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Show what a container has changed.",
        discussion: "A added, D removed, M modified, R renamed, P only owner, mode, times or attributes.")
    @Argument(help: "Of the changes, its beginning, or the container's name.") var name: String
    @Argument(help: "Only what is at or below these paths of the source.") var paths: [String] = []
    @Flag(help: "A JSON object.") var json = false
    @Flag(help: "As git apply and patch read it.") var patch = false
    @OptionGroup var flags: ChangesFlags

    func validate() throws {
        if json && patch { throw ValidationError("--json and --patch exclude each other") }
    }

    func run() async throws {
        let (name, paths, form) = (name, paths, json ? ChangesOfInstance.DiffForm.json : patch ? .patch : .text)
        await flags.run { try $0.diff(name, paths, form) }
    }
}

struct CopyOnWriteCommit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commit", abstract: "Apply changes to their source.",
        discussion: "What was cut off goes on where it was. Without paths, all is applied.")
    @Argument(help: "Of the changes, its beginning, or the container's name.") var name: String
    @Argument(help: "Only what is at or below these paths of the source.") var paths: [String] = []
    @Option(help: "What becomes of changes whose place others have changed: fail, ours, theirs or both.") var conflict = "fail"
    @OptionGroup var flags: ChangesFlags

    func run() async throws {
        let (name, paths, conflict) = (name, paths, conflict)
        await flags.run {
            try $0.commit(name, paths, conflict: conflict)
            return []
        }
    }
}

struct CopyOnWriteDiscard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "discard", abstract: "Drop changes.")
    @Argument(help: "Of the changes, its beginning, or the container's name.") var name: String
    @OptionGroup var flags: ChangesFlags

    func run() async throws {
        let name = name
        await flags.run {
            try $0.discard(name)
            return []
        }
    }
}

struct CopyOnWriteExport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Copy what was added or changed to a folder.",
        discussion: "The source and the changes stay as they are. What was removed is shown by diff.")
    @Argument(help: "Of the changes, its beginning, or the container's name.") var name: String
    @Argument(help: "Is made.") var directory: String
    @OptionGroup var flags: ChangesFlags

    func run() async throws {
        let (name, directory) = (name, directory)
        await flags.run {
            try $0.export(name, to: directory)
            return []
        }
    }
}
