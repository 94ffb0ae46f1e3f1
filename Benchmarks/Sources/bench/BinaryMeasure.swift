// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// The measures of the program's file.
struct BinaryMeasure {
    let settings: Settings
    let folder: String

    /// Shared libraries that every Linux of ours has. The loader and the kernel's own do not count: nobody installs them.
    private static let allowed: Set = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6"]

    func measure(_ report: inout Report) throws {
        let copy = folder + "/stripped"
        try run("strip", ["-o", copy, settings.daemon])
        var status = stat()
        guard stat(copy, &status) == 0 else { throw BenchmarkError("strip left no \(copy)") }
        report.add("stripped binary", .bytes, ours: Double(status.st_size), limit: .value(20e6))
        let others = try sharedLibraries(of: settings.daemon).filter { !Self.allowed.contains($0) && !$0.hasPrefix("ld-linux") }
        let names = others.isEmpty ? "" : ": " + others.joined(separator: " ")
        report.add("shared libraries beyond libc, libm, libgcc_s, C++\(names)", .count, ours: Double(others.count), limit: .value(0))
    }

    private func sharedLibraries(of program: String) throws -> [String] {
        try run("readelf", ["-d", program], environment: ["LC_ALL": "C"]).split(separator: "\n").compactMap { line in
            guard line.contains("(NEEDED)"), let open = line.firstIndex(of: "["), let close = line.lastIndex(of: "]") else { return nil }
            return String(line[line.index(after: open)..<close])
        }
    }
}
