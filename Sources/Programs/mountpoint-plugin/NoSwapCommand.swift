// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser

struct NoSwapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "noswap", abstract: "Give containers memory that never reaches swap, and wipe it at the end.")
    @OptionGroup var flags: ServeFlags

    func run() async throws { await flags.serve("noswap") }
}
