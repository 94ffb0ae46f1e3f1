// SPDX-License-Identifier: AGPL-3.0-or-later

/// The runtime.
public enum RuntimeProgram {
    public static func run() -> Int32 { 0 }
}
