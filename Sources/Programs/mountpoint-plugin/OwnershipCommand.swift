// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser

struct OwnershipCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ownership", abstract: "Have the owner of files appear as the container's user.",
        subcommands: [OwnershipServe.self], defaultSubcommand: OwnershipServe.self)
}

struct OwnershipServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Answer mountpoint-runc until a signal comes.")
    @OptionGroup var flags: ServeFlags

    func run() async throws { await flags.serve("ownership") }
}
