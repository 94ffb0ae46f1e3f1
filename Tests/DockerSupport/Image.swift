// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import TestSupport

/// The image that containers run: busybox and a folder with a file, made by hand since no registry is needed for that.
public enum Image {
    /// Where the image has a file that Docker can copy into an empty volume.
    public static let seedFolder = "/seed"
    public static let seedFile = "first"
    public static let seedText = "from the image"

    public static func write(to file: String) async throws {
        let folder = file + ".d"
        let files = FileManager.default
        for name in ["bin", "tmp", "seed"] { try files.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true) }
        let busybox = try await command(["which", "busybox"]).output.trimmingCharacters(in: .newlines)
        try files.copyItem(atPath: URL(fileURLWithPath: busybox).resolvingSymlinksInPath().path, toPath: "\(folder)/bin/busybox")
        for applet in try await command([busybox, "--list"]).output.split(separator: "\n") where applet != "busybox" {
            symlink("busybox", "\(folder)/bin/\(applet)")
        }
        try seedText.write(toFile: "\(folder)\(seedFolder)/\(seedFile)", atomically: false, encoding: .utf8)
        let result = try await command(["tar", "--create", "--directory", folder, "--file", file, "."])
        guard result.status == 0 else { throw Trouble("tar: \(result)") }
    }
}
